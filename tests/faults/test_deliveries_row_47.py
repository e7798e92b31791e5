"""Fault table, row 47: the worker is told to stop under load."""

import asyncio
import signal
from collections import Counter
from pathlib import Path

from aiohttp import web
from faults_support.outbox_state import rows, status_of, until_delivered
from outbox_support.chat import Chat
from outbox_support.sink import Sink
from outbox_support.worker_process import WorkerProcess

RELEASED = [(None, None)]


async def slowly(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(0.01)
    return web.Response()


class Stubborn:
    """Takes a request and never answers it."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()

    async def __call__(self, _request: web.Request) -> web.StreamResponse:
        self.entered.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")


async def test_row_47_told_to_stop_under_load_it_finishes_and_the_next_goes_on_at_once(
    chat: Chat, sink: Sink, worker: WorkerProcess, tmp_path: Path
) -> None:
    """Exit code 0, nothing left half done, the lease released: the next waits for no time to be up, and over all
    nothing is sent twice."""
    sink.answer = slowly
    for _ in range(3):
        await chat.add_webhook(sink.url)
    for number in range(100):
        await chat.post(f"message {number}")
    worker.start()
    await sink.until(30)
    assert await asyncio.to_thread(worker.signal, signal.SIGTERM) == 0
    assert rows(chat, "SELECT holder, expires FROM worker") == RELEASED
    status = status_of(chat)
    assert (status.sending, status.delivered) == (0, len(sink.received))
    assert status.delivered < 300
    patient = WorkerProcess(tmp_path / "data", CAMPFIRE_OUTBOX_LEASE="86400")
    patient.start()
    try:
        await until_delivered(chat, 300)
    finally:
        patient.end()
    times = Counter((received.webhook_id) for received in sink.received)
    assert len(times) == 300 and set(times.values()) == {1}


async def test_row_47_what_takes_too_long_is_given_up_and_sent_again_by_the_next(
    chat: Chat, sink: Sink, tmp_path: Path
) -> None:
    """It waits again, under the same id; the worker has ended with exit code 0 all the same."""
    sink.answer = stubborn = Stubborn()
    worker = WorkerProcess(
        tmp_path / "data",
        CAMPFIRE_OUTBOX_STOP_SECONDS="0.3",
        CAMPFIRE_WEBHOOK_TIMEOUT="600",
        CAMPFIRE_OUTBOX_LEASE="600",
    )
    await chat.add_webhook(sink.url)
    await chat.post("Hello")
    worker.start()
    try:
        async with asyncio.timeout(60):
            await stubborn.entered.wait()
        assert await asyncio.to_thread(worker.signal, signal.SIGTERM) == 0
        assert rows(chat, "SELECT state FROM deliveries") == [("pending",)]
        assert rows(chat, "SELECT holder, expires FROM worker") == RELEASED
        sink.answer = slowly
        worker.start()
        await until_delivered(chat, 1)
    finally:
        worker.end()
    assert len({received.webhook_id for received in sink.received}) == 1


async def test_row_47_a_second_signal_ends_it_at_once(chat: Chat, sink: Sink, tmp_path: Path) -> None:
    """Whoever presses Ctrl-C twice does not want to wait for ten minutes; still nothing is left half done."""
    sink.answer = stubborn = Stubborn()
    worker = WorkerProcess(tmp_path / "data", CAMPFIRE_OUTBOX_STOP_SECONDS="600", CAMPFIRE_WEBHOOK_TIMEOUT="600")
    await chat.add_webhook(sink.url)
    await chat.post("Hello")
    worker.start()
    try:
        async with asyncio.timeout(60):
            await stubborn.entered.wait()
        worker.send(signal.SIGTERM)
        worker.send(signal.SIGINT)
        assert await asyncio.to_thread(worker.wait) == 0
    finally:
        worker.end()
    assert rows(chat, "SELECT state FROM deliveries") == [("pending",)]
    assert rows(chat, "SELECT holder, expires FROM worker") == RELEASED
