"""What the outbox has written down of its attempts, for whoever wants to see it."""

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

from outbox.queries import rows_of


class Attempt(NamedTuple):
    """An attempt, with its delivery as it stands now. Times in milliseconds."""

    endpoint_id: str
    delivery_id: str
    number: int
    started_at: int
    ended_at: int
    failure_class: str | None
    status: int | None
    detail: str
    excerpt: bytes | None
    tries: int
    peer: str | None
    connect_ms: float | None
    first_byte_ms: float | None
    body_ms: float | None
    bytes_read: int
    state: str
    next_attempt_at: int


_ATTEMPTS = """
SELECT endpoint_id, delivery_id, number, started_at, ended_at, attempts.failure_class, status, detail, excerpt,
       tries, peer, connect_ms, first_byte_ms, body_ms, bytes_read, state, next_attempt_at
FROM attempts JOIN deliveries ON deliveries.id = delivery_id
WHERE endpoint_id = ? ORDER BY started_at, number
"""


class Attempts:
    """Reads `outbox.db` while the worker writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def of(self, endpoint_id: str) -> list[Attempt]:
        return [Attempt(*row) for row in self.rows(_ATTEMPTS, endpoint_id)]

    async def until(self, endpoint_id: str, count: int = 1) -> list[Attempt]:
        """Wait until an endpoint has had so many."""
        async with asyncio.timeout(60):
            while len(found := self.of(endpoint_id)) < count:
                await asyncio.sleep(0.02)
        return found

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """Empty while there is no outbox yet."""
        return rows_of(self._path, statement, parameters)
