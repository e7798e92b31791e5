"""Forgetting: what was tried and said a month ago helps nobody any more. Deliveries stay, a stream has no holes.

What is forgotten is told of elsewhere: deliveries keep how they ended, the log keeps reports and what bots said.
"""

import asyncio
import sqlite3
from collections.abc import Callable

from outbox.ledger import Ledger

KEPT_SECONDS = 30 * 86_400
"""How long attempts with their excerpts, finished answers and taken reports are kept."""

_EVERY_SECONDS = 3600.0
_BATCH = 500
"""Rows that go in one transaction: results of deliveries wait for it, so it must be short."""

_FORGETTING = (
    """
DELETE FROM attempts WHERE (delivery_id, number) IN
    (SELECT delivery_id, number FROM attempts WHERE ended_at < ? ORDER BY ended_at LIMIT ?)
""",
    """
DELETE FROM answers WHERE id IN (SELECT id FROM answers WHERE finished_at < ? ORDER BY finished_at LIMIT ?)
""",
    """
DELETE FROM reports WHERE id IN
    (SELECT id FROM reports WHERE state <> 'waiting' AND at < ? ORDER BY at LIMIT ?)
""",
)


async def run(ledger: Ledger, now_ms: Callable[[], int], stopping: asyncio.Event) -> None:
    """Forget now and every hour, until cancelled or stopped."""
    while not stopping.is_set():
        await forget(ledger, now_ms(), stopping)
        await asyncio.sleep(_EVERY_SECONDS)


async def forget(ledger: Ledger, now: int, stopping: asyncio.Event) -> int:
    """Delete what is older than `KEPT_SECONDS` at `now` (milliseconds), a batch at a time; return how many rows."""
    before = now - KEPT_SECONDS * 1000
    forgotten = 0
    for statement in _FORGETTING:
        gone: int | None = _BATCH
        while gone == _BATCH and not stopping.is_set():
            gone = await ledger.write_patiently(_deleting(statement, before), stopping)
            forgotten += gone or 0
    return forgotten


def _deleting(statement: str, before: int) -> Callable[[sqlite3.Connection], int]:
    return lambda connection: connection.execute(statement, (before, _BATCH)).rowcount
