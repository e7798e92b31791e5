"""Somebody who follows the feed, the same for each of its transports."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any, Literal, get_args

import aiohttp
import msgspec

from access_support.world import SECONDS, World
from campfire.api.feed.subscriber import Subscriber

Transport = Literal["websocket", "event_source", "long_poll"]
TRANSPORTS: tuple[Transport, ...] = get_args(Transport)

Frame = dict[str, Any]


def _open_transports(world: World) -> set[Subscriber]:
    return set(chain.from_iterable(world.hub._open.values()))


class Follower:
    """Keeps the events that come, until the server ends it: then `ended` says how."""

    def __init__(self, world: World, token: str, transport: Transport, since: int) -> None:
        self.events: list[Frame] = []
        self.reached = since
        """The last position that is certain to have been told, if there was something to tell."""
        self.ended: str | None = None
        self._world = world
        self._token = token
        read = {"websocket": self._websocket, "event_source": self._event_source, "long_poll": self._long_poll}
        self._task = asyncio.create_task(read[transport]())

    @classmethod
    async def present(cls, world: World, token: str, transport: Transport) -> "Follower":
        """One who follows from now on, and is there before what comes next happens (unless refused)."""
        # Not by their number: one that is just ending may leave as the new one comes.
        before = _open_transports(world)
        follower = cls(world, token, transport, world.engine.position)
        await follower._eventually(lambda: bool(_open_transports(world) - before) or follower.ended is not None)
        return follower

    async def until(self, position: int) -> list[Frame]:
        """What came up to `position`, at which there must be something that is told to this one too."""
        await self._eventually(lambda: self.reached >= position)
        return [event for event in self.events if event["position"] <= position]

    async def end(self) -> str:
        """How it ended: a close code, a problem's code, or `eof`."""
        await self._eventually(lambda: self.ended is not None)
        return str(self.ended)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _eventually(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not holds():
                if self._task.done():
                    self._task.result()  # which raises what went wrong
                    assert holds(), f"it ended with {self.ended}"
                await asyncio.sleep(0.002)

    def _take(self, event: Frame) -> None:
        self.events.append(event)
        self.reached = event["position"]

    async def _websocket(self) -> None:
        url = f"{self._world.url}/ws?since={self.reached}"
        try:
            async with self._world.http.ws_connect(url, headers=self._headers(), max_msg_size=0) as socket:
                async for message in socket:
                    frame = msgspec.json.decode(message.data)
                    assert frame["type"] != "resync"
                    if frame["type"] == "event":
                        self._take(frame)
            self.ended = str(socket.close_code)
        except aiohttp.WSServerHandshakeError as error:
            self.ended = str(error.status)

    async def _event_source(self) -> None:
        headers = self._headers() | {"Accept": "text/event-stream"}
        async with self._world.http.get(f"{self._world.url}/feed?since={self.reached}", headers=headers) as answer:
            if answer.status != 200:
                self.ended = str(answer.status)
                return
            name = "message"
            async for line in answer.content:
                field, _, value = line.rstrip(b"\n").partition(b": ")
                if field == b"event":
                    name = value.decode()
                    assert name != "resync"
                elif field == b"data":
                    if name == "message":
                        self._take(msgspec.json.decode(value))
                    name = "message"
        self.ended = "eof"

    async def _long_poll(self) -> None:
        while True:
            url = f"{self._world.url}/feed?since={self.reached}&wait=20"
            async with self._world.http.get(url, headers=self._headers()) as answer:
                page = msgspec.json.decode(await answer.read())
            if answer.status != 200:
                self.ended = str(answer.status)
                return
            assert not page["resync"]
            self.events += page["events"]
            self.reached = page["position"]

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}


@asynccontextmanager
async def following(world: World, token: str, transport: Transport, since: int) -> AsyncIterator[Follower]:
    """Somebody who follows from `since` on; from now on, they are there before what comes next happens."""
    if since == world.engine.position:
        follower = await Follower.present(world, token, transport)
    else:
        follower = Follower(world, token, transport, since)
    try:
        yield follower
    finally:
        await follower.close()
