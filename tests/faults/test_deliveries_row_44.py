"""Row 44 of the fault table: a webhook that posts back into its own trigger."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from faults_support.server_process import ServerProcess
from outbox_support.chat import SECRET, Chat
from outbox_support.sink import Sink

from campfire.clock import ManualClock
from campfire.config import Settings
from campfire.domain.events import EndpointSettings, NewEvent, WebhookCreated
from campfire.engine import Engine
from outbox.queries import rows_of
from outbox.status import outbox_status
from outbox.worker import Worker


class Poster:
    """Ann at a real server with its worker, and a receiver that says everything it is told once more."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.sink = Sink(self._post_back)
        self.room_id = ""
        self._token = ""
        self._http: aiohttp.ClientSession

    async def begin(self) -> None:
        await self.sink.start()
        self._http = aiohttp.ClientSession()
        wanted = {"account": "Acme", "name": "Ann", "email": "ann@example.com", "password": "correct horse battery"}
        answer = await self._call("/api/v1/setup", wanted)
        self._token, self.room_id = answer["token"], answer["room"]["id"]
        await self._call("/api/v1/webhooks", {"url": self.sink.url, "events": ["message.posted"]})

    async def end(self) -> None:
        await self._http.close()
        await self.sink.stop()

    async def post(self, body: str, **headers: str) -> None:
        await self._call(f"/api/v1/rooms/{self.room_id}/messages", {"body": body}, **headers)

    def deliveries(self) -> list[tuple[str, str | None]]:
        """State, and why, of each in the order of the log."""
        return rows_of(self.server.data / "outbox.db", "SELECT state, failure FROM deliveries ORDER BY position")

    async def until(self, states: dict[str, int]) -> None:
        """Wait until there are so many deliveries in each state."""
        async with asyncio.timeout(60):
            while Counter(state for state, _ in self.deliveries()) != states:
                await asyncio.sleep(0.02)

    async def _post_back(self, request: web.Request) -> web.StreamResponse:
        await self.post("again", **{"campfire-hops": request.headers["campfire-hops"]})
        return web.Response()

    async def _call(self, path: str, body: Any, **headers: str) -> Any:
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        async with self._http.post(self.server.url + path, json=body, headers=headers) as response:
            assert response.status == 201, await response.text()
            return await response.json()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "data", CAMPFIRE_OUTBOX="embedded", CAMPFIRE_WEBHOOK_ALLOW="127.0.0.0/8")
    process.start()
    yield process
    process.end()


@pytest.fixture
async def poster(server: ServerProcess) -> AsyncIterator[Poster]:
    poster = Poster(server)
    await poster.begin()
    yield poster
    await poster.end()


async def test_row_44_a_webhook_that_posts_back_what_it_is_told_stops_after_three_hops(poster: Poster) -> None:
    """It is told what people say and what comes of that three times over; then a note on the record ends it."""
    await poster.post("Hello")
    await poster.until({"delivered": 4, "cancelled": 1})
    assert [received.headers["campfire-hops"] for received in poster.sink.received] == ["1", "2", "3", "4"]
    await poster.post("Hello once more")
    await poster.until({"delivered": 8, "cancelled": 2})
    assert len(poster.sink.received) == 8
    loop = ("cancelled", "a loop: the event came from deliveries of deliveries, 4 deep")
    assert poster.deliveries() == [*[("delivered", None)] * 4, loop] * 2


async def test_row_44_one_that_does_not_give_the_hops_back_is_never_faster_than_its_rate(tmp_path: Path) -> None:
    """What it says looks like what people say; it goes on for ever, at a delivery a second by the worker's clock."""
    chat = Chat(await Engine.open(Settings(data=tmp_path / "data")))
    await chat.found()

    async def post_back(_request: web.Request) -> web.StreamResponse:
        await chat.post("again")
        return web.Response()

    sink = Sink(post_back)
    await sink.start()
    webhook_id = chat.engine.new_id()
    created = WebhookCreated(
        at=1,
        webhook_id=webhook_id,
        url=sink.url,
        events=("message.posted",),
        rooms=None,
        sealed_secret=chat.engine.sealer.seal(SECRET),
        by=chat.user_id,
        settings=EndpointSettings(rate=1.0),
    )
    await chat.engine.append([NewEvent(webhook_id, 1, created)])
    settings = Settings(data=tmp_path / "data", webhook_allow=(ip_network("127.0.0.0/8"),))
    clock = ManualClock(chat.engine.clock.now_ms())
    worker = Worker(settings, clock)
    running = asyncio.create_task(worker.run())
    try:
        await chat.post("Hello")
        for second in range(1, 5):
            await sink.until(second)
            await until_waiting(settings, second)
            assert len(sink.received) == second
            clock.advance(1)
    finally:
        worker.stop()
        await running
        await sink.stop()
        await chat.close()


async def until_waiting(settings: Settings, delivered: int) -> None:
    """Wait until so many deliveries are over, and the next one is in line."""
    async with asyncio.timeout(60):
        while True:
            status = outbox_status(settings.outbox_path, 0)
            if status is not None and (status.delivered, status.pending) == (delivered, 1):
                return
            await asyncio.sleep(0.01)
