"""What aiohttp itself can do here: no disk, no users, no rules.

Runs as a process of its own (`python -m benchmarks.bare_server`), prints its port, ends with SIGTERM.
`POST /parse` reads the JSON and answers. `POST /fan-out` also encodes one frame for it and gives
it to every WebSocket: what comes in during one turn of the loop is joined into one write each.
"""

import asyncio
import gc
import sys
from typing import Any

import msgspec
import uvloop
from aiohttp import WSMsgType, web

from benchmarks.websocket_frames import text_frame

_BUFFER_LIMIT = 4 << 20


class Draft(msgspec.Struct):
    """The request of the real server, as far as a bare one needs it."""

    body: str
    client_message_id: str


class Posted(msgspec.Struct, tag="event", tag_field="type"):
    """A frame of the real one's shape and size."""

    position: int
    event: str
    at: str
    data: dict[str, Any]


class BareRoom:
    """One room without memory."""

    def __init__(self) -> None:
        self.transports: set[asyncio.WriteTransport] = set()
        self._draft = msgspec.json.Decoder(Draft).decode
        self._encode = msgspec.json.Encoder().encode
        self._frames: list[bytes] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._position = 0

    async def parse(self, request: web.Request) -> web.Response:
        draft = self._draft(await request.read())
        return self._answer(draft)

    async def fan_out(self, request: web.Request) -> web.Response:
        draft = self._draft(await request.read())
        loop = asyncio.get_running_loop()
        if not self._frames:
            loop.call_soon(self._flush)
        self._frames.append(text_frame(self._encode(self._posted(draft))))
        flushed: asyncio.Future[None] = loop.create_future()
        self._waiting.append(flushed)
        await flushed
        return self._answer(draft)

    async def swallow(self, request: web.Request) -> web.Response:
        """Read a file into nothing."""
        while await request.content.readany():
            pass
        return web.Response(body=b"{}", status=201, content_type="application/json")

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(compress=False)
        await websocket.prepare(request)
        await websocket.send_str('{"type":"hello"}')
        transport = request.transport
        assert transport is not None
        self.transports.add(transport)
        try:
            async for message in websocket:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            self.transports.discard(transport)
        return websocket

    def _flush(self) -> None:
        joined = b"".join(self._frames)
        self._frames.clear()
        for transport in self.transports:
            if not transport.is_closing() and transport.get_write_buffer_size() < _BUFFER_LIMIT:
                transport.write(joined)
        for flushed in self._waiting:
            if not flushed.done():
                flushed.set_result(None)
        self._waiting.clear()

    def _posted(self, draft: Draft) -> Posted:
        self._position += 1
        return Posted(self._position, "message.posted", "2026-01-01T00:00:00.000Z", self._view(draft))

    def _answer(self, draft: Draft) -> web.Response:
        return web.Response(body=self._encode(self._view(draft)), status=201, content_type="application/json")

    def _view(self, draft: Draft) -> dict[str, Any]:
        return {
            "id": "00000000-0000-0000-0000-000000000000",
            "room_id": "00000000-0000-0000-0000-000000000000",
            "author": {"id": "00000000-0000-0000-0000-000000000000", "name": "Somebody"},
            "body": draft.body,
            "created_at": "2026-01-01T00:00:00.000Z",
            "client_message_id": draft.client_message_id,
            "truncated": False,
        }


async def serve() -> None:
    """Listen on a free port of the loopback until the process is ended."""
    room = BareRoom()
    app = web.Application()
    app.add_routes(
        [
            web.post("/parse", room.parse),
            web.post("/fan-out", room.fan_out),
            web.get("/ws", room.socket),
            web.post("/swallow", room.swallow),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    [address] = runner.addresses
    sys.stdout.write(f"{address[1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    gc.freeze()
    uvloop.run(serve())
