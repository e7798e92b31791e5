"""A receiver of webhooks that says yes to everything, takes a moment, and remembers."""

import asyncio
import random
from hashlib import sha256

import msgspec
from aiohttp import web

from drills.evidence import Receipt

_LONGEST_MOMENT = 0.004


class _Body(msgspec.Struct):
    sequence: int | None = None


class Receiver:
    """Serves `/0`, `/1`, … on loopback, one path an endpoint; `receipts` in the order of arrival."""

    def __init__(self, chance: random.Random) -> None:
        self.receipts: list[Receipt] = []
        self.names: dict[str, str] = {}
        """The endpoint behind each path."""
        self.arrived = asyncio.Event()
        """Set with every request; whoever waits for one clears it before."""
        self._chance = chance
        self._connections: dict[int, asyncio.BaseTransport] = {}
        self._runner: web.AppRunner

    async def start(self) -> str:
        """Return the address to which a path is to be added."""
        app = web.Application()
        app.router.add_post("/{path}", self._take)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        path = request.match_info["path"]
        self.receipts.append(
            Receipt(
                endpoint=self.names[path],
                delivery=request.headers["webhook-id"],
                digest=sha256(body).digest(),
                connection=self._connection(request),
                sequence=msgspec.json.decode(body, type=_Body).sequence,
            )
        )
        self.arrived.set()
        await asyncio.sleep(self._chance.random() * _LONGEST_MOMENT)
        return web.Response()

    def _connection(self, request: web.Request) -> int:
        transport = request.transport
        if transport is None:  # cut off already: nothing more can come by it
            return -len(self.receipts)
        self._connections[id(transport)] = transport  # kept, so that no other gets its number
        return id(transport)
