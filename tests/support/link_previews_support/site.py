"""Somebody else's web site: a real HTTP server on loopback, as friendly or hostile as a test wants it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """Pages by path. `asked` is what it was asked for, in order."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer] = {}
        self.asked: list[web.Request] = []
        self.most_at_once = 0
        self.released = asyncio.Event()
        """Set at the end, so that nothing that hangs on purpose hangs for ever."""
        self.url = ""
        self._at_once = 0

    def page(self, path: str, content: str | bytes, **options: object) -> str:
        """Serve `content` at `path`, as HTML unless told otherwise; return its URL."""
        body = content.encode() if isinstance(content, str) else content
        headers = {"Content-Type": "text/html; charset=utf-8", **{str(k): str(v) for k, v in options.items()}}

        async def answer(_request: web.Request) -> web.StreamResponse:
            return web.Response(body=body, headers=headers)

        self.pages[path] = answer
        return self.url + path

    def serve(self, path: str, answer: Answer) -> str:
        self.pages[path] = answer
        return self.url + path

    def paths(self) -> list[str]:
        return [request.path for request in self.asked]

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            answer = self.pages.get(request.path)
            return web.Response(status=404, text="nothing here") if answer is None else await answer(request)
        finally:
            self._at_once -= 1


@asynccontextmanager
async def a_site(host: str = "127.0.0.1") -> AsyncIterator[Site]:
    """Open on a free port until the block ends."""
    site = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, 0).start()
    site.url = f"http://{host}:{runner.addresses[0][1]}"
    try:
        yield site
    finally:
        site.released.set()
        await runner.cleanup()
