"""Fault table, row 6: two outbox workers on one data directory."""

import asyncio
import contextlib
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from faults_support.outbox_state import rows, status_of, until_delivered
from outbox_support.chat import Chat
from outbox_support.sink import Sink
from outbox_support.worker_process import WorkerProcess

LEASE = "1.5"


async def slowly(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(0.003)
    return web.Response()


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[list[WorkerProcess]]:
    """Two, with a lease that ends soon; started by the test."""
    pair = [WorkerProcess(tmp_path / "data", CAMPFIRE_OUTBOX_LEASE=LEASE) for _ in range(2)]
    yield pair
    for each in pair:
        each.end()


def epoch_of(chat: Chat) -> int:
    [(epoch,)] = rows(chat, "SELECT epoch FROM worker")
    return int(epoch)


def times(sink: Sink) -> Counter[str]:
    return Counter(received.webhook_id for received in sink.received)


async def test_row_6_two_workers_under_load_send_nothing_twice(
    chat: Chat, sink: Sink, workers: list[WorkerProcess]
) -> None:
    """Both are started at once; one delivers, the other stands by until the first is told to stop, and goes on."""
    sink.answer = slowly
    await chat.add_webhook(sink.url)
    for worker in workers:
        worker.start()
    for number in range(150):
        await chat.post(f"message {number}")
    await until_delivered(chat, 100)
    holder = next(each for each in workers if each.pid == status_of(chat).worker_pid)
    other = next(each for each in workers if each is not holder)
    assert status_of(chat).standing_by == f"outbox worker standing by with pid {other.pid}"
    holder.send(signal.SIGTERM)
    for number in range(150, 300):
        await chat.post(f"message {number}")
    assert await asyncio.to_thread(holder.wait) == 0
    await until_delivered(chat, 300)
    assert status_of(chat).worker_pid == other.pid
    assert len(times(sink)) == 300
    assert set(times(sink).values()) == {1}


async def test_row_6_a_dead_holder_is_followed_at_once(chat: Chat, sink: Sink, workers: list[WorkerProcess]) -> None:
    """Nobody waits for the lease of a process that is gone, although it would last for minutes more."""
    patient = [WorkerProcess(chat.engine.settings.data, CAMPFIRE_OUTBOX_LEASE="600") for _ in range(2)]
    sink.answer = slowly
    await chat.add_webhook(sink.url)
    try:
        patient[0].start()
        await chat.post("one")
        await until_delivered(chat, 1)
        patient[1].start()
        async with asyncio.timeout(60):
            while status_of(chat).standing_by is None:
                await asyncio.sleep(0.02)
        patient[0].send(signal.SIGKILL)
        await chat.post("two")
        await until_delivered(chat, 2)
    finally:
        for each in patient:
            each.end()
    assert sorted(times(sink).values()) in ([1, 1], [1, 2])


async def test_row_6_a_holder_that_was_stopped_past_its_lease_is_fenced(
    chat: Chat, sink: Sink, workers: list[WorkerProcess]
) -> None:
    """What it had on its way when it fell asleep may come twice, with the same id; nothing else does, and
    awake again it sends nothing, but stands by."""
    first, second = workers
    sink.answer = slowly
    await chat.add_webhook(sink.url)
    first.start()
    posting = asyncio.create_task(post_many(chat, 400))
    await sink.until(50)
    stop_between_writes(chat, first)
    second.start()
    asleep_at = len(sink.received)
    await sink.until(asleep_at + 50)
    assert epoch_of(chat) == 2 and status_of(chat).worker_pid == second.pid
    first.send(signal.SIGCONT)
    await posting
    await until_delivered(chat, 400)
    async with asyncio.timeout(60):
        while status_of(chat).standing_by != f"outbox worker standing by with pid {first.pid}":
            await asyncio.sleep(0.02)
    repeated = [count for count in times(sink).values() if count > 1]
    assert len(times(sink)) == 400
    assert repeated in ([], [2])
    assert epoch_of(chat) == 2


def stop_between_writes(chat: Chat, worker: WorkerProcess) -> None:
    """Stopped within a transaction it would keep the file locked, and nobody could take over before it goes on."""
    while True:
        worker.send(signal.SIGSTOP)
        with contextlib.closing(sqlite3.connect(chat.engine.settings.outbox_path, timeout=0)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
                return
            except sqlite3.OperationalError:
                worker.send(signal.SIGCONT)


async def post_many(chat: Chat, count: int) -> None:
    for number in range(count):
        await chat.post(f"message {number}")
