"""Where the worker's metrics and health are served, if the settings say so. Nothing there is secret: no addresses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from campfire.clock import Clock, SystemClock
from campfire.config import Settings
from campfire.errors import CampfireError
from outbox.gauges import Gauges
from outbox.metrics import Metrics

log = structlog.get_logger()


@asynccontextmanager
async def metrics_site(settings: Settings, metrics: Metrics, clock: Clock | None = None) -> AsyncIterator[None]:
    """Serve `/metrics`, `/health/live` and `/health/ready` meanwhile. Raises `CONFIGURATION_INVALID`."""
    if not settings.outbox_metrics:
        yield
        return
    metrics.registry.register(Gauges(settings, clock or SystemClock()))
    site = _Site(metrics)
    app = web.Application()
    app.router.add_get("/metrics", site.metrics)
    app.router.add_get("/health/live", site.live)
    app.router.add_get("/health/ready", site.ready)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    try:
        await _open(runner, settings.outbox_metrics)
        yield
    finally:
        await runner.cleanup()


async def _open(runner: web.AppRunner, place: str) -> None:
    host, _, port = place.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    except OSError as error:
        raise CampfireError("CONFIGURATION_INVALID", f"Metrics cannot be served at {place}: {error}.") from error
    log.info("metrics_served", host=runner.addresses[0][0], port=runner.addresses[0][1])


class _Site:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._one_at_a_time = asyncio.Lock()  # whoever asks often must not read the file often at once

    async def metrics(self, _request: web.Request) -> web.Response:
        async with self._one_at_a_time:
            text = await asyncio.to_thread(generate_latest, self._metrics.registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def live(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def ready(self, _request: web.Request) -> web.Response:
        """Ready is who delivers; whoever stands by is well, but not that."""
        state = self._metrics.state
        return web.json_response({"status": state}, status=200 if state == "delivering" else 503)
