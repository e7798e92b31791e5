"""Deliveries of what came out of deliveries. Steps of the ledger."""

import sqlite3

from campfire.domain.hops import HEADER, MOST_HOPS
from outbox.planning import Planned


def mark(connection: sqlite3.Connection, planned: Planned, now: int) -> None:
    """Remember how far a delivery that was just put in line is from what people did; too far, and it is cancelled."""
    if planned.hops > MOST_HOPS:
        connection.execute(
            "UPDATE deliveries SET hops = ?, state = 'cancelled', failure = ?, finished_at = ? WHERE id = ?",
            (planned.hops, _too_deep(planned.hops), now, planned.id),
        )
    elif planned.hops:
        connection.execute("UPDATE deliveries SET hops = ? WHERE id = ?", (planned.hops, planned.id))


def header_of(hops: int) -> dict[str, str]:
    """What a receiver that posts back is to give back with it. `hops` of the event that it is told."""
    return {HEADER: str(hops + 1)}


def _too_deep(hops: int) -> str:
    return f"a loop: the event came from deliveries of deliveries, {hops} deep"
