"""Row 39 of the fault table: an endpoint that is disabled or deleted while deliveries wait for it."""

import asyncio
import json
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web
from outbox_support.chat import Chat
from outbox_support.sink import Sink, ok

from campfire.clock import SystemClock
from campfire.config import Settings
from campfire.domain.events import NewEvent, WebhookDisabled, WebhookResumed
from campfire.domain.webhooks import decide_delete_webhook
from campfire.engine import Engine
from outbox.queries import rows_of
from outbox.worker import Worker


async def gone(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=410)


class Scene:
    """A chat, two receivers and a worker. The second one takes everything, and shows how far the worker has come."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.sink, self.witness = Sink(), Sink()
        self.webhook_id = ""
        self._settings = Settings(
            data=chat.engine.settings.data,
            webhook_allow=(ip_network("127.0.0.0/8"),),
            webhook_retry_schedule=(0.01,) * 3,
        )
        self._worker = Worker(self._settings, SystemClock())
        self._running: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Two messages for each; the first receiver answers 410 to the first of them."""
        await self.sink.start()
        await self.witness.start()
        self.sink.answer = gone
        self.webhook_id = await self.chat.add_webhook(self.sink.url)
        await self.chat.add_webhook(self.witness.url)
        await self.chat.post("one")
        await self.chat.post("two")
        self._running = asyncio.create_task(self._worker.run())
        await self.until_state("disabled")

    async def end(self) -> None:
        self._worker.stop()
        if self._running is not None:
            await self._running
        await self.sink.stop()
        await self.witness.stop()

    async def until_state(self, state: str) -> None:
        async with asyncio.timeout(60):
            while rows_of(
                self._settings.outbox_path, "SELECT state FROM endpoints WHERE id = ?", [self.webhook_id]
            ) != [(state,)]:
                await asyncio.sleep(0.01)

    def deliveries(self) -> list[tuple[str, str | None]]:
        """State, and why, of each in the order of the log."""
        return rows_of(
            self._settings.outbox_path,
            "SELECT state, failure FROM deliveries WHERE endpoint_id = ? ORDER BY position",
            [self.webhook_id],
        )

    def waiting(self) -> int:
        return sum(state in ("pending", "queued") for state, _ in self.deliveries())

    def said(self) -> list[str]:
        """What it was told, in order, each delivery once."""
        told = {received.webhook_id: json.loads(received.body)["data"]["body"] for received in self.sink.received}
        return list(told.values())


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    chat = Chat(await Engine.open(Settings(data=tmp_path / "data")))
    await chat.found()
    scene = Scene(chat)
    await scene.begin()
    yield scene
    await scene.end()
    await chat.close()


async def test_row_39_what_waits_for_a_disabled_endpoint_is_listed_and_sent_when_it_is_resumed(scene: Scene) -> None:
    """Nothing is sent meanwhile, and nothing is lost."""
    scene.sink.answer = ok
    await scene.chat.post("three")
    await scene.witness.until(3)
    assert len(scene.sink.received) == 1
    assert scene.waiting() == 2
    disabled = WebhookDisabled(at=1, webhook_id=scene.webhook_id, reason="gone", detail="-")
    resumed = WebhookResumed(at=2, webhook_id=scene.webhook_id, catch_up="everything", by=scene.chat.user_id)
    await scene.chat.engine.append([NewEvent(scene.webhook_id, 2, disabled), NewEvent(scene.webhook_id, 3, resumed)])
    await scene.sink.until(3)
    assert scene.said()[:2] == ["one", "two"]


async def test_row_39_what_waits_for_a_deleted_endpoint_is_cancelled_and_listed(scene: Scene) -> None:
    """On the record, with why; nothing of it is sent."""
    engine, by = scene.chat.engine, scene.chat.user_id
    await engine.perform(
        lambda: decide_delete_webhook(engine.directory, webhook_id=scene.webhook_id, actor_id=by, at=1)
    )
    await scene.until_state("deleted")
    assert scene.deliveries() == [("cancelled", "the webhook was deleted")] * 2
    assert len(scene.sink.received) == 1
