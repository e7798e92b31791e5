"""What clients hear of the feed, over a WebSocket and as Server-Sent Events."""

import asyncio
from typing import Any

import aiohttp
import msgspec

from campfire.domain.ids import random_id

SECONDS = 10

Frame = dict[str, Any]


class Socket:
    """A WebSocket client that keeps every frame it got."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        self.raw = raw
        self.frames: list[Frame] = []

    async def next(self, kind: str | None = None) -> Frame:
        """The next frame (of that type); fails when the socket closes or nothing comes.

        Who is connected is told at any time, and skipped unless it is asked for.
        """
        async with asyncio.timeout(SECONDS):
            while True:
                message = await self.raw.receive()
                assert message.type == aiohttp.WSMsgType.TEXT, (message, self.raw.close_code)
                frame = msgspec.json.decode(message.data)
                self.frames.append(frame)
                if frame["type"] == kind or (kind is None and frame["type"] != "connected"):
                    return frame  # type: ignore[no-any-return]

    async def event(self, topic: str | None = None) -> Frame:
        while True:
            frame = await self.next("event")
            if topic is None or frame["event"] == topic:
                return frame

    async def until(self, position: int) -> list[Frame]:
        """All events up to the one at `position`."""
        events: list[Frame] = []
        while not events or events[-1]["position"] < position:
            events.append(await self.event())
        return events

    async def send(self, **frame: Any) -> None:
        await self.raw.send_str(msgspec.json.encode(frame).decode())

    async def ask(self, **frame: Any) -> Frame:
        """Send a frame with a ref and return its ack or error."""
        frame.setdefault("ref", random_id())
        await self.send(**frame)
        while True:
            answer = await self.next()
            if answer["type"] in ("ack", "error") and answer["ref"] == frame["ref"]:
                return answer

    async def closed(self) -> int | None:
        """Read to the end; the close code."""
        async with asyncio.timeout(SECONDS):
            async for message in self.raw:
                self.frames.append(msgspec.json.decode(message.data))
        return self.raw.close_code


class EventSource:
    """Reads Server-Sent Events (WHATWG HTML section 9.2)."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.last_id = ""

    async def next(self) -> tuple[str, Frame]:
        """The next event's name and data; comments are skipped, and who is connected."""
        name, data = "message", b""
        async with asyncio.timeout(SECONDS):
            while line := await self.response.content.readline():
                field, _, value = line.rstrip(b"\n").partition(b": ")
                if field == b"id":
                    self.last_id = value.decode()
                elif field == b"event":
                    name = value.decode()
                elif field == b"data":
                    data += value
                elif not field and data:
                    if name != "connected":
                        return name, msgspec.json.decode(data)
                    name, data = "message", b""
        raise EOFError

    async def until(self, position: int) -> list[Frame]:
        events: list[Frame] = []
        while not events or events[-1]["position"] < position:
            name, frame = await self.next()
            if name == "message":
                events.append(frame)
        return events
