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
