import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outbox import pruning
from outbox.ledger import Ledger

NOW = 1_800_000_000_000
OLD = NOW - pruning.KEPT_SECONDS * 1000 - 1
"""Milliseconds; a moment more than is kept."""
YOUNG = OLD + 2


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    ledger = Ledger(tmp_path / "outbox.db")
    await ledger.open()
    yield ledger
    await ledger.close()


def a_month_and_a_day(connection: sqlite3.Connection) -> None:
    """Of everything one that is old and one that is not; what still waits is old."""
    for number, ended in enumerate((OLD, YOUNG)):
        connection.execute(
            "INSERT INTO deliveries (id, endpoint_id, position, event_type, next_attempt_at, planned_at, sequence,"
            " finished_at, state) VALUES (?, 'e', ?, 't', 0, ?, ?, ?, 'delivered')",
            (f"d{number}", number, ended, number + 1, ended),
        )
        connection.execute(
            "INSERT INTO attempts (delivery_id, number, started_at, ended_at, detail, excerpt)"
            " VALUES (?, 1, 0, ?, 'delivered', x'00')",
            (f"d{number}", ended),
        )
        for state, finished in (("posted", ended), ("dropped", ended), ("waiting", None)):
            connection.execute(
                "INSERT INTO answers (id, delivery_id, bot_id, message_id, state, answered_at, finished_at)"
                " VALUES (?, ?, 'b', 'm', ?, ?, ?)",
                (f"{state} {number}", f"d{number}", state, OLD, finished),
            )
        for state in ("taken", "dropped", "waiting"):
            connection.execute(
                "INSERT INTO reports (id, endpoint_id, kind, since, at, detail, state)"
                " VALUES (?, 'e', 'failing', 0, ?, '', ?)",
                (f"{state} {number}", ended, state),
            )


async def kept(ledger: Ledger, table: str, column: str = "id") -> list[str]:
    return sorted(row[0] for row in await ledger.rows(f"SELECT {column} FROM {table}"))


async def test_what_is_older_than_a_month_is_forgotten_and_nothing_else(ledger: Ledger) -> None:
    """Attempts with their excerpts, finished answers, taken reports. Deliveries stay, and so does what waits."""
    await ledger.write(a_month_and_a_day)
    assert await pruning.forget(ledger, NOW, asyncio.Event()) == 5
    assert await kept(ledger, "attempts", "delivery_id") == ["d1"]
    assert await kept(ledger, "answers") == ["dropped 1", "posted 1", "waiting 0", "waiting 1"]
    assert await kept(ledger, "reports") == ["dropped 1", "taken 1", "waiting 0", "waiting 1"]
    assert await kept(ledger, "deliveries") == ["d0", "d1"]


async def test_a_great_deal_is_forgotten_in_small_transactions(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of deliveries wait for each, so none may last."""

    def many(connection: sqlite3.Connection) -> None:
        connection.executemany(
            "INSERT INTO attempts (delivery_id, number, started_at, ended_at, detail) VALUES (?, 1, 0, ?, '')",
            [(str(number), OLD) for number in range(1200)],
        )

    await ledger.write(many)
    left: list[int] = []
    write = ledger.write_patiently

    async def counted(*arguments: object) -> object:
        result = await write(*arguments)  # type: ignore[arg-type]
        left.append((await ledger.rows("SELECT COUNT(*) FROM attempts"))[0][0])
        return result

    monkeypatch.setattr(ledger, "write_patiently", counted)
    assert await pruning.forget(ledger, NOW, asyncio.Event()) == 1200
    assert left[:3] == [700, 200, 0]


async def test_the_worker_forgets_as_soon_as_it_starts(ledger: Ledger) -> None:
    """One that is restarted every day must not keep everything."""
    await ledger.write(a_month_and_a_day)
    running = asyncio.create_task(pruning.run(ledger, lambda: NOW, asyncio.Event()))
    async with asyncio.timeout(30):
        while len(await kept(ledger, "reports")) > 4:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
