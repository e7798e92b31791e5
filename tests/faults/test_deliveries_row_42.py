"""Fault table, row 42: the log was restored to another point than the outbox knows."""

import asyncio
import contextlib
import shutil
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from faults_support.outbox_state import rows, until_delivered
from outbox_support.chat import Chat
from outbox_support.sink import Sink
from outbox_support.worker_process import WorkerProcess

from campfire.engine import Engine
from campfire.eventlog.reader import LogReader
from outbox.planning import delivery_id


class Restored:
    """A chat whose log can be brought back from an earlier day, the outbox staying as it is."""

    def __init__(self, chat: Chat, data: Path) -> None:
        self.chat = chat
        self.data = data
        self._kept = data.with_name("kept")

    async def reopen(self) -> None:
        self.chat.engine = await Engine.open(self.chat.engine.settings)
        self.chat._closed = False

    async def keep(self) -> None:
        """A backup of the log of today."""
        await self.chat.close()
        self._kept.mkdir()
        for path in [*self.data.glob("events.*"), *self.data.glob("campfire.db*")]:
            shutil.copy(path, self._kept)
        await self.reopen()

    async def bring_back(self) -> None:
        await self.chat.close()
        for path in [*self.data.glob("events.*"), *self.data.glob("campfire.db*")]:
            path.unlink()
        for path in self._kept.iterdir():
            shutil.copy(path, self.data)

    def begin_epoch(self, name: str) -> None:
        """As a restore does: what is written from here on is another history."""
        with contextlib.closing(sqlite3.connect(self.data / "events.db")) as connection, connection:
            connection.execute("UPDATE log_info SET value = ? WHERE name = 'epoch'", (name,))
        (self.data / "events.tip").unlink(missing_ok=True)


@pytest.fixture
async def restored(chat: Chat, tmp_path: Path) -> AsyncIterator[Restored]:
    yield Restored(chat, tmp_path / "data")


async def test_row_42_a_log_that_ends_before_what_was_delivered_stops_the_worker(
    restored: Restored, sink: Sink, worker: WorkerProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    """It ends with exit code 3, names the missing positions, and sends nothing: whoever restored decides."""
    chat = restored.chat
    await chat.add_webhook(sink.url)
    await restored.keep()
    await deliver(chat, worker, 2)
    tip = chat.engine.position
    await restored.bring_back()
    assert await ended(worker) == 3
    said = capfd.readouterr().err
    assert "LOG_DAMAGED" in said and f"to {tip} are missing" in said and "Nothing is sent" in said
    assert len(sink.received) == 2


async def test_row_42_another_history_at_the_same_place_stops_the_worker(
    restored: Restored, sink: Sink, worker: WorkerProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    """Written on from an earlier backup, the log has that position again, with another event."""
    chat = restored.chat
    await chat.add_webhook(sink.url)
    await restored.keep()
    await deliver(chat, worker, 2)
    outbox = restored.data / "outbox.db"
    aside = outbox.rename(outbox.with_name("aside.db"))
    await restored.bring_back()
    await restored.reopen()
    for number in range(4):
        await chat.post(f"in another history {number}")
    aside.rename(outbox)
    assert await ended(worker) == 3
    assert "it is another log" in capfd.readouterr().err
    assert len(sink.received) == 2


async def test_row_42_a_new_epoch_after_what_was_delivered_goes_on_with_new_ids(
    restored: Restored, sink: Sink, worker: WorkerProcess
) -> None:
    """Receivers that remember ids do not take what is new for what they know."""
    chat = restored.chat
    webhook_id = await chat.add_webhook(sink.url)
    await deliver(chat, worker, 1)
    await chat.close()
    restored.begin_epoch("0000-restored")
    await restored.reopen()
    posted = await chat.post("in the new epoch")
    worker.start()
    await until_delivered(chat, 2)
    reader = LogReader(restored.data / "events.db")
    assert reader.epoch() == "0000-restored"
    tip = reader.tip().position
    reader.close()
    assert sink.received[1].webhook_id == delivery_id("0000-restored", webhook_id, tip)
    assert posted.message_id.encode() in sink.received[1].body
    assert rows(chat, "SELECT epoch FROM cursor") == [("0000-restored",)]


async def deliver(chat: Chat, worker: WorkerProcess, count: int) -> None:
    """Messages, each delivered; then the worker ends."""
    worker.start()
    for number in range(count):
        await chat.post(f"message {number}")
    await until_delivered(chat, count)
    await asyncio.to_thread(worker.signal, signal.SIGTERM)


async def ended(worker: WorkerProcess) -> int:
    worker.start()
    return await asyncio.to_thread(worker.wait)
