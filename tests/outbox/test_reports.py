"""What the worker finds out about webhooks, as the administrators come to know it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from outbox_support.bots import BotChat
from outbox_support.chat import Chat
from outbox_support.sink import Sink, ok

from campfire.clock import ManualClock
from campfire.config import Settings
from campfire.control_client import control_client
from campfire.domain import ids
from campfire.domain.events import MessagePosted
from campfire.domain.webhook_reports import Report
from campfire.domain.webhooks import decide_delete_webhook
from campfire.errors import CampfireError
from campfire.eventlog.group_commit import CommittedBatch
from outbox.ledger import Ledger
from outbox.reporting import Reporting
from outbox.status import outbox_status
from outbox.worker import Worker


def answering(status: int) -> Callable[[web.Request], Any]:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    return answer


class Scene:
    """A chat with its control socket, a worker with a clock of its own, and what the server has said so far."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.engine = chat.engine
        self.server = BotChat(chat)
        self.clock = ManualClock(chat.engine.clock.now_ms())
        self.notices: list[str] = []
        self.settings = Settings(
            data=chat.engine.settings.data,
            webhook_allow=(ip_network("127.0.0.0/8"),),
            webhook_retry_schedule=(),
        )
        self._changed = asyncio.Event()
        self._worker: Worker | None = None
        self._running: asyncio.Task[None] | None = None
        self.engine.subscribers.append(self._listen)

    def start_worker(self) -> None:
        self._worker = Worker(self.settings, self.clock)
        self._running = asyncio.create_task(self._worker.run())

    async def stop_worker(self) -> None:
        if self._worker is not None and self._running is not None:
            self._worker.stop()
            await self._running
            self._worker = self._running = None

    async def until_said(self, count: int) -> str:
        """Wait until the server has said so much; return what it said last."""
        async with asyncio.timeout(60):
            while len(self.notices) < count:
                self._changed.clear()
                await self._changed.wait()
        assert len(self.notices) == count
        return self.notices[-1]

    async def until_dead(self, count: int) -> None:
        """Wait until the results of so many failures are written down."""
        async with asyncio.timeout(60):
            while (status := outbox_status(self.settings.outbox_path, 0)) is None or status.dead < count:
                await asyncio.sleep(0.01)

    async def hand_in(self, report: Report) -> Any:
        """Be the worker."""
        async with control_client(self.engine.settings) as client:
            return await client.post("/outbox/reports", msgspec.json.encode(report))

    async def states_of_reports(self) -> list[str]:
        with sqlite3.connect(self.settings.outbox_path) as connection:
            return [row[0] for row in connection.execute("SELECT state FROM reports ORDER BY at, id")]

    def webhook(self, webhook_id: str) -> Any:
        return self.engine.directory.webhooks[webhook_id]

    def _listen(self, batch: CommittedBatch) -> None:
        for event in (recorded.event for recorded in batch.events):
            if isinstance(event, MessagePosted) and event.room_id == ids.ADMINISTRATORS_ROOM:
                self.notices.append(event.body)
                self._changed.set()


@pytest.fixture
async def scene(chat: Chat) -> AsyncIterator[Scene]:
    scene = Scene(chat)
    await scene.server.open_control()
    yield scene
    await scene.stop_worker()
    await scene.server.close_control()


def disabled(webhook_id: str, at: int = 2_000) -> Report:
    return Report(f"{webhook_id}/disabled/{at}", webhook_id, "disabled", "failing", 1_000, at, "Nothing but failures.")


async def test_an_outage_is_told_from_its_twelfth_hour_to_its_end(scene: Scene, sink: Sink) -> None:
    """In the administrators' room, in sentences that say what to do; and the webhook shows it."""
    webhook_id = await scene.chat.add_webhook(f"{sink.url}?token=secret")
    scene.start_worker()
    sink.answer = answering(500)
    await scene.chat.post("one")
    await scene.until_dead(1)
    since = scene.clock.now_ms()
    scene.clock.advance(12 * 3600)
    await scene.chat.post("two")
    failing = await scene.until_said(1)
    assert f"`{sink.url}`" in failing and "answered 500" in failing and "secret" not in failing
    assert scene.webhook(webhook_id).failing_since == since
    sink.answer = ok
    await scene.chat.post("three")
    assert "takes deliveries again" in await scene.until_said(2)
    assert scene.webhook(webhook_id).failing_since is None


async def test_a_disabled_webhook_is_told_with_the_way_back(scene: Scene, sink: Sink) -> None:
    """410 disables at once; learning of it again through the log changes nothing, and the worker goes on."""
    webhook_id = await scene.chat.add_webhook(sink.url)
    other = Sink()
    await other.start()
    await scene.chat.add_webhook(other.url)
    scene.start_worker()
    sink.answer = answering(410)
    await scene.chat.post("one")
    said = await scene.until_said(1)
    assert "answered 410 Gone" in said and f"campfire-outbox endpoints resume {webhook_id}" in said
    assert (scene.webhook(webhook_id).state, scene.webhook(webhook_id).detail) == (
        "disabled",
        "The receiver answered 410 Gone.",
    )
    await scene.chat.post("two")
    await other.until(2)
    assert len(sink.received) == 1
    await other.stop()


async def test_reports_wait_for_a_server_that_is_down(scene: Scene, sink: Sink) -> None:
    """Also over a restart of the worker."""
    await scene.server.close_control()
    webhook_id = await scene.chat.add_webhook(sink.url)
    scene.start_worker()
    sink.answer = answering(410)
    await scene.chat.post("one")
    await sink.until(1)
    async with asyncio.timeout(30):
        while await scene.states_of_reports() != ["waiting"]:
            await asyncio.sleep(0.01)
    await scene.stop_worker()
    await scene.server.open_control()
    scene.start_worker()
    await scene.until_said(1)
    assert scene.webhook(webhook_id).state == "disabled"
    async with asyncio.timeout(30):
        while await scene.states_of_reports() != ["taken"]:
            await asyncio.sleep(0.01)


async def test_a_report_that_is_handed_over_twice_is_one(scene: Scene) -> None:
    """The worker may never have heard that it was taken."""
    webhook_id = await scene.chat.add_webhook("https://hooks.example.com/in")
    assert (await scene.hand_in(disabled(webhook_id)))["duplicate"] is False
    version = scene.webhook(webhook_id).version
    assert (await scene.hand_in(disabled(webhook_id)))["duplicate"] is True
    assert scene.webhook(webhook_id).version == version and len(scene.notices) == 1


async def test_an_old_report_does_not_disable_again_what_was_resumed(scene: Scene) -> None:
    """Its acknowledgement got lost, an administrator was faster than its repeat."""
    webhook_id = await scene.chat.add_webhook("https://hooks.example.com/in")
    await scene.hand_in(disabled(webhook_id))
    scene.webhook(webhook_id).state = "active"
    await scene.hand_in(disabled(webhook_id))
    assert scene.webhook(webhook_id).state == "active"
    await scene.hand_in(disabled(webhook_id, at=9_000))
    assert scene.webhook(webhook_id).state == "disabled" and len(scene.notices) == 2


async def test_of_a_deleted_webhook_nothing_is_said(scene: Scene) -> None:
    """The server says that it knows none, and the worker drops the report."""
    webhook_id = await scene.chat.add_webhook("https://hooks.example.com/in")
    engine, by = scene.engine, scene.chat.user_id
    await engine.perform(lambda: decide_delete_webhook(engine.directory, webhook_id=webhook_id, actor_id=by, at=1))
    with pytest.raises(CampfireError) as refused:
        await scene.hand_in(disabled(webhook_id))
    assert refused.value.code == "WEBHOOK_NOT_FOUND" and scene.notices == []


async def test_a_report_that_nobody_will_take_holds_up_no_other(scene: Scene, tmp_path: Path) -> None:
    """It is dropped on the record, and those behind it are handed over in their order."""
    webhook_id = await scene.chat.add_webhook("https://hooks.example.com/in")
    ledger = Ledger(scene.settings.outbox_path)
    await ledger.open()
    reporting = Reporting(scene.settings, ledger)
    handing_over = asyncio.create_task(reporting.run())
    waiting = [
        Report("1", "nobody", "disabled", "gone", 1, 1, "Gone."),
        Report("2", webhook_id, "failing", None, 1, 2, "answered 500"),
        Report("3", webhook_id, "recovered", None, 1, 3, "It is back."),
    ]

    def step(connection: sqlite3.Connection) -> None:
        connection.executemany(
            "INSERT INTO reports (id, endpoint_id, kind, reason, since, at, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [msgspec.structs.astuple(report) for report in waiting],
        )

    try:
        await ledger.write(step)
        reporting.wake()
        assert "takes deliveries again" in await scene.until_said(2)
        async with asyncio.timeout(30):
            while await scene.states_of_reports() != ["dropped", "taken", "taken"]:
                await asyncio.sleep(0.01)
    finally:
        handing_over.cancel()
        await asyncio.gather(handing_over, return_exceptions=True)
        await ledger.close()


async def test_what_the_server_says_goes_to_no_webhook_by_accident(scene: Scene, sink: Sink) -> None:
    """One for every room is not told of the administrators' room; one that names that room is."""
    naming = Sink()
    await naming.start()
    await scene.chat.add_webhook(sink.url)
    failing = await scene.chat.add_webhook("https://hooks.example.com/in")
    await scene.hand_in(disabled(failing))
    await scene.chat.add_webhook(naming.url, rooms=[ids.ADMINISTRATORS_ROOM])
    scene.start_worker()
    await scene.hand_in(disabled(await scene.chat.add_webhook("https://hooks.example.com/in")))
    await scene.chat.post("after it")
    await naming.until(1)
    await sink.until(1)
    assert b"after it" in sink.received[0].body
    assert b"is disabled" in naming.received[0].body
    await naming.stop()
