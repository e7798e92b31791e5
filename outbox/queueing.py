"""Putting deliveries in line. Steps of the ledger."""

import sqlite3
from collections.abc import Iterable

from outbox.planning import Planned


def insert(connection: sqlite3.Connection, planned: Iterable[Planned], now: int) -> None:
    """Put deliveries in line, each with the next number of its endpoint's stream; those that are known are left alone.

    `now` in milliseconds, from when they may be sent.
    """
    for each in planned:
        inserted = connection.execute(
            "INSERT OR IGNORE INTO deliveries (id, endpoint_id, position, event_type, message_id, room_id, cause,"
            " next_attempt_at, planned_at, sequence)"
            " SELECT ?, id, ?, ?, ?, ?, ?, ?, ?, sequence + 1 FROM endpoints WHERE id = ?",
            (
                each.id,
                each.position,
                each.event_type,
                each.message_id,
                each.room_id,
                each.cause,
                now,
                now,
                each.endpoint_id,
            ),
        )
        if inserted.rowcount:
            connection.execute("UPDATE endpoints SET sequence = sequence + 1 WHERE id = ?", (each.endpoint_id,))


def again(connection: sqlite3.Connection, endpoint_id: str, delivery_ids: Iterable[str], now: int) -> None:
    """Put deliveries that had ended back in line, with a fresh schedule; each keeps its id and its place."""
    for delivery_id in delivery_ids:
        connection.execute(
            "UPDATE deliveries SET state = 'pending', round = 0, next_attempt_at = ?, finished_at = NULL,"
            " failure_class = NULL, failure = NULL, first_tried_at = NULL, parked_at = NULL"
            " WHERE id = ? AND endpoint_id = ? AND state IN ('delivered', 'dead', 'cancelled')",
            (now, delivery_id, endpoint_id),
        )
