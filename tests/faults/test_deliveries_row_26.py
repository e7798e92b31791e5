"""Fault table, rows 26 and 27: the machine's clock is set while deliveries wait for their next attempt."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network

import pytest
from aiohttp import web
from faults_support.outbox_state import rows, status_of
from outbox_support.chat import Chat
from outbox_support.sink import Sink

from campfire.clock import SystemClock
from campfire.config import Settings
from outbox.status import OutboxStatus, outbox_status
from outbox.worker import Worker

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ENDPOINTS = 5


class SetClock(SystemClock):
    """The machine's clock, which somebody sets."""

    def __init__(self) -> None:
        self.off_by_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.off_by_ms


async def refuse(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=500)


async def accept(_request: web.Request) -> web.StreamResponse:
    return web.Response()


class Working:
    """A worker in this process, whose clock a test sets. Its next attempts come after `wait` seconds."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self.clock = SetClock()
        self._running: asyncio.Task[None] | None = None
        self._worker: Worker | None = None

    def start(self, *schedule: float) -> None:
        settings = Settings(
            data=self._chat.engine.settings.data,
            webhook_allow=(ip_network("127.0.0.0/8"),),
            webhook_retry_schedule=schedule,
            webhook_breaker_seconds=1,
        )
        self._worker = Worker(settings, self.clock)
        self._running = asyncio.create_task(self._worker.run())

    async def stop(self) -> None:
        assert self._worker is not None and self._running is not None
        self._worker.stop()
        await self._running

    async def until(self, reached: Callable[[OutboxStatus], bool]) -> None:
        path = self._chat.engine.settings.outbox_path
        async with asyncio.timeout(60):
            while (status := outbox_status(path, 0)) is None or not reached(status):
                if self._running is not None and self._running.done():
                    self._running.result()
                await asyncio.sleep(0.02)


@pytest.fixture
async def working(chat: Chat) -> AsyncIterator[Working]:
    """Started by the test."""
    working = Working(chat)
    yield working
    await working.stop()


async def failed_once(chat: Chat, sink: Sink, working: Working, *schedule: float) -> None:
    """A message that every endpoint has refused once."""
    sink.answer = refuse
    for _ in range(ENDPOINTS):
        await chat.add_webhook(sink.url)
    working.start(*schedule)
    await chat.post("Hello")
    await sink.until(ENDPOINTS)
    async with asyncio.timeout(60):
        while rows(chat, "SELECT COUNT(*) FROM attempts") != [(ENDPOINTS,)]:
            await asyncio.sleep(0.02)


async def test_row_26_a_clock_that_is_set_back_an_hour_freezes_no_retry(
    chat: Chat, sink: Sink, working: Working
) -> None:
    """The next attempt comes when it would have come, not an hour later."""
    await failed_once(chat, sink, working, 2, 2, 2)
    sink.answer = accept
    working.clock.off_by_ms = -HOUR_MS
    await working.until(lambda status: status.delivered == ENDPOINTS)
    assert set(Counter(received.webhook_id for received in sink.received).values()) == {2}


async def test_row_26_the_lease_does_not_notice(chat: Chat, sink: Sink, working: Working) -> None:
    """Nor does what is planned afterwards: it is sent at once, in the log's order."""
    await chat.add_webhook(sink.url)
    working.start(1)
    await chat.post("before")
    await sink.until(1)
    working.clock.off_by_ms = -HOUR_MS
    for number in range(5):
        await chat.post(f"after {number}")
    await working.until(lambda status: status.delivered == 6)
    assert status_of(chat).worker_alive
    positions = rows(chat, "SELECT position FROM deliveries ORDER BY finished_at, position")
    assert positions == sorted(positions)
    assert len(sink.received) == 6


async def test_row_27_a_clock_that_is_set_three_days_forward_kills_no_delivery(
    chat: Chat, sink: Sink, working: Working
) -> None:
    """What was due in hours is tried once, early; it takes its next step of the schedule from there, nothing is
    given up, and what the receiver then takes has arrived."""
    await failed_once(chat, sink, working, 7_200, 7_200, 7_200, 7_200)
    working.clock.off_by_ms = 3 * DAY_MS
    await sink.until(2 * ENDPOINTS)
    async with asyncio.timeout(60):
        while rows(chat, "SELECT COUNT(*) FROM attempts") != [(2 * ENDPOINTS,)]:
            await asyncio.sleep(0.02)
    now = working.clock.now_ms()
    status = status_of(chat)
    assert (status.pending, status.dead, status.cancelled) == (ENDPOINTS, 0, 0)
    assert all(now + HOUR_MS < at for (at,) in rows(chat, "SELECT next_attempt_at FROM deliveries"))
    assert status.worker_alive
    sink.answer = accept
    working.clock.off_by_ms = 6 * DAY_MS
    await working.until(lambda status: status.delivered == ENDPOINTS)
