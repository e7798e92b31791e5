"""A worker in this process whose clocks can be set forward, and endpoints whose settings the log tells of."""

import asyncio
import json
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from aiohttp import web

from campfire.clock import SystemClock
from campfire.config import Settings
from campfire.domain.events import EndpointSettings, Event, NewEvent, WebhookChanged, WebhookPaused, WebhookResumed
from campfire.domain.events.webhooks import CatchUp
from outbox.queries import rows_of
from outbox.worker import Worker
from outbox_support.chat import Chat
from outbox_support.sink import Received, Sink


class ForwardClock(SystemClock):
    """The machine's clocks, and what they were set forward by."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now_ms(self) -> int:
        return super().now_ms() + round(self._ahead * 1000)

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead

    def set_forward(self, seconds: float) -> None:
        self._ahead += seconds


class Serving:
    """A chat, and a worker that serves its webhooks; `schedule` in seconds."""

    def __init__(self, chat: Chat, schedule: tuple[float, ...] = (0.05,) * 2000, breaker_seconds: float = 0.05) -> None:
        self.chat = chat
        self.engine = chat.engine
        self.clock = ForwardClock()
        self.settings = Settings(
            data=chat.engine.settings.data,
            webhook_allow=(ip_network("127.0.0.0/8"),),
            webhook_retry_schedule=schedule,
            webhook_breaker_seconds=breaker_seconds,
            webhook_timeout=300.0,
        )
        self._worker: Worker | None = None
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._worker = Worker(self.settings, self.clock)
        self._running = asyncio.create_task(self._worker.run())

    async def stop(self) -> None:
        if self._worker is not None and self._running is not None:
            self._worker.stop()
            await self._running
        self._worker = self._running = None

    async def add_webhook(self, url: str, **settings: Any) -> str:
        webhook_id = await self.chat.add_webhook(url)
        await self.change(webhook_id, **settings)
        return webhook_id

    async def change(self, webhook_id: str, **settings: Any) -> None:
        webhook = self.engine.directory.webhooks[webhook_id]
        await self.tell(
            WebhookChanged(
                at=self.clock.now_ms(),
                webhook_id=webhook_id,
                url=settings.pop("url", webhook.url),
                events=settings.pop("events", webhook.events),
                rooms=settings.pop("rooms", webhook.rooms),
                by=self.chat.user_id,
                settings=EndpointSettings(**settings),
            )
        )

    async def pause(self, webhook_id: str) -> None:
        await self.tell(WebhookPaused(at=self.clock.now_ms(), webhook_id=webhook_id, by=self.chat.user_id))

    async def resume(self, webhook_id: str, catch_up: CatchUp = "everything") -> None:
        resumed = WebhookResumed(at=self.clock.now_ms(), webhook_id=webhook_id, catch_up=catch_up, by=self.chat.user_id)
        await self.tell(resumed)

    async def tell(self, event: Event) -> None:
        """Record an event of a webhook, and wait until the worker has learnt it, if there is one."""
        [recorded] = await self.engine.append([NewEvent(event.webhook_id, None, event)])  # type: ignore[attr-defined]
        if self._running is not None:
            await self.until("SELECT position >= ? FROM cursor", recorded.position)

    async def add_room(self, name: str) -> str:
        return await self.chat.add_room(name)

    async def post(self, body: str, room_id: str | None = None) -> None:
        await self.chat.post(body, room_id)

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """As the worker's last transaction left it."""
        return rows_of(self.settings.outbox_path, statement, parameters)

    async def until(self, statement: str, *parameters: Any) -> None:
        """Wait until a statement's first value is true."""
        async with asyncio.timeout(60):
            while not ((found := self.rows(statement, *parameters)) and found[0][0]):
                await asyncio.sleep(0.01)

    async def until_in_state(self, state: str, count: int) -> None:
        await self.until(f"SELECT COUNT(*) >= {count} FROM deliveries WHERE state = ?", state)


def bodies(received: list[Received]) -> list[str]:
    """What the messages said."""
    return [json.loads(each.body)["data"]["body"] for each in received]


def refusing(sink: Sink, is_refused: Callable[[str], bool]) -> None:
    """Let a sink refuse messages by what they say."""

    async def answer(request: web.Request) -> web.StreamResponse:
        said = json.loads(await request.read())["data"]["body"]
        return web.Response(status=500 if is_refused(said) else 200)

    sink.answer = answer
