"""Deliveries written straight into `outbox.db`, where a test needs more of them than it could wait for."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from outbox.ledger import Ledger


async def plant_dead_letters(
    path: Path, endpoint_id: str, count: int, *, url: str = "https://hooks.example.com/", position: int = 1
) -> list[str]:
    """So many dead letters of one webhook, as if each had failed once; with the endpoint if it is not there."""

    def rows() -> Iterable[tuple[object, ...]]:
        for number, delivery_id in enumerate(ids, 1):
            failure_class = "status" if number % 2 else "timeout"
            yield (delivery_id, endpoint_id, position, number, number, 1_000 + number, failure_class)

    def step(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT OR IGNORE INTO endpoints (id, url, events, created_position)"
            " VALUES (?, ?, '[\"message.posted\"]', 0)",
            (endpoint_id, url),
        )
        connection.execute("UPDATE endpoints SET sequence = ? WHERE id = ?", (count, endpoint_id))
        connection.executemany(
            "INSERT INTO deliveries (id, endpoint_id, position, sequence, event_type, room_id, state, attempts, round,"
            " next_attempt_at, planned_at, finished_at, failure_class, failure)"
            " VALUES (?, ?, ?, ?, 'message.posted', 'r' || ? % 50, 'dead', 1, 1, 0, 1, ?, ?, 'answered 500')",
            rows(),
        )
        connection.executemany(
            "INSERT INTO attempts (delivery_id, number, started_at, ended_at, failure_class, status, detail, excerpt)"
            " VALUES (?, 1, 900, ?, 'status', 500, 'answered 500', ?)",
            [(delivery_id, 1_000 + number, b"not \x1b[31mtoday") for number, delivery_id in enumerate(ids[:10], 1)],
        )

    ids = [f"msg_{endpoint_id.replace('-', '')[:8]}{number:024x}" for number in range(1, count + 1)]
    ledger = Ledger(path)
    await ledger.open()
    try:
        await ledger.write(step)
    finally:
        await ledger.close()
    return ids
