"""Running the server: sites, the outbox child, and a shutdown that loses nothing."""

import asyncio
import os
import signal
from collections.abc import Callable

import structlog
from aiohttp import web

from campfire.api.app import build_app
from campfire.api.control import build_control_app
from campfire.api.feed import FeedHub
from campfire.api.outbox_child import OutboxChild
from campfire.config import Settings
from campfire.engine import Engine
from campfire.errors import CampfireError

_DRAIN_SECONDS = 10

log = structlog.get_logger()


async def serve(settings: Settings, *, ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT. `ready` is called once with the server's URL.

    Raises what `Engine.open` raises, and `CONFIGURATION_INVALID` if the port cannot be had.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    engine = await Engine.open(settings)
    hub = FeedHub(engine)
    app = build_app(engine, hub)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_DRAIN_SECONDS)
    control = web.AppRunner(build_control_app(app), access_log=None, handle_signals=False)
    child = OutboxChild(settings) if settings.outbox == "embedded" else None
    try:
        url = await _open_sites(settings, runner, control)
        if child is not None:
            child.start()
        if ready is not None:
            ready(url)
        await stopping.wait()
        log.info("stopping")
    finally:
        await hub.close()
        await runner.cleanup()
        await control.cleanup()
        if child is not None:
            await child.stop()
        await engine.close()


async def _open_sites(settings: Settings, runner: web.AppRunner, control: web.AppRunner) -> str:
    await runner.setup()
    await control.setup()
    settings.socket_path.unlink(missing_ok=True)
    # The mask covers the moment between making the socket and changing its mode.
    mask = os.umask(0o177)
    try:
        await web.UnixSite(control, str(settings.socket_path)).start()
    except OSError as error:
        # The system allows such a path some hundred characters only.
        raise CampfireError(
            "CONFIGURATION_INVALID", f"The control socket {settings.socket_path} cannot be made: {error}."
        ) from error
    finally:
        os.umask(mask)
    site = web.TCPSite(runner, settings.host, settings.port, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        raise CampfireError(
            "CONFIGURATION_INVALID", f"Port {settings.port} on {settings.host} cannot be opened: {error.strerror}."
        ) from error
    host, port = runner.addresses[0][:2]
    shown = "localhost" if host in ("0.0.0.0", "::", "127.0.0.1") else host  # noqa: S104
    return f"http://{shown}:{port}"
