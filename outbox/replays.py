"""Sending dead letters again, on request. Steps of the ledger."""

import sqlite3

import msgspec

from campfire.domain.events import DeliveryReplayRequested


def replay(connection: sqlite3.Connection, event: DeliveryReplayRequested, now: int) -> set[str]:
    """Give dead letters a fresh schedule, and return their endpoints; a request that was seen before does nothing."""
    if connection.execute("SELECT 1 FROM replays WHERE id = ?", (event.replay_id,)).fetchone():
        return set()
    named = msgspec.json.encode(event.deliveries).decode()
    rows = connection.execute(
        "UPDATE deliveries SET state = 'pending', round = 0, next_attempt_at = ?, finished_at = NULL"
        " WHERE state = 'dead'"
        " AND (? = '[]' OR id IN (SELECT value FROM json_each(?)))"
        " AND (? IS NULL OR endpoint_id = ?) AND finished_at >= ? RETURNING endpoint_id",
        (now, named, named, event.webhook_id, event.webhook_id, event.since or 0),
    ).fetchall()
    connection.execute(
        "INSERT INTO replays (id, at, replayed) VALUES (?, ?, ?)", (event.replay_id, event.at, len(rows))
    )
    return {row[0] for row in rows}
