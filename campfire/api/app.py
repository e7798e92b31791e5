"""The application: routes, middleware, and what belongs to it while it runs."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import msgspec
import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from campfire.api import (
    accounts,
    attachments,
    boosts,
    bots,
    deliveries,
    docs_page,
    endpoints,
    exports,
    health,
    link_previews,
    marks,
    memberships,
    message_links,
    messages,
    once,
    openapi,
    pictures,
    presence,
    profile,
    push,
    rooms,
    schemas,
    search,
    searches,
    sessions,
    sign_in_links,
    threads,
    users,
    webhooks,
)
from campfire.api.feed import FeedHub
from campfire.api.feed.activity import Activity
from campfire.api.feed.frames import ClientFrame
from campfire.api.feed.http import LONGEST_WAIT, read_feed
from campfire.api.feed.websocket import open_socket
from campfire.api.keys import (
    ACTIVITY,
    BLOBS,
    BODY_SECONDS,
    ENGINE,
    EXPORTS,
    HUB,
    LINK_PREVIEWER,
    PASSWORDS,
    PULLS,
    RATE_LIMITER,
    REMOVER,
    SCRUBBER,
    SIGN_IN_LIMITER,
    THUMBNAILS,
)
from campfire.api.middleware import guard
from campfire.api.passwords import Passwords
from campfire.api.rate_limit import RateLimiter
from campfire.api.routes import Query, Route
from campfire.blobs.images import Thumbnails
from campfire.blobs.store import BlobStore
from campfire.domain.sessions import decide_expiry
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.housekeeping.blob_collector import BlobCollector
from campfire.housekeeping.remover import Remover
from campfire.housekeeping.scrubber import Scrubber
from campfire.link_previews.previewer import LinkPreviewer

_LARGEST_BODY = 512 * 1024
"""64 KiB of text may take six times as much when its characters are written as JSON escapes."""
_SWEEP_SECONDS = 60
_LOOK_SECONDS = 0.5

_PLACE = (
    Query("since", {"type": "integer", "minimum": 0}, "the last position that I have"),
    Query("epoch", {"type": "string"}, "the epoch that I got it in"),
)
_WAIT = Query("wait", {"type": "integer", "minimum": 0, "maximum": LONGEST_WAIT}, "seconds to wait for something")
_FEED = Route(
    "GET",
    "/feed",
    read_feed,
    "What happened since a position that I may see: a long poll, or Server-Sent Events with that Accept header",
    {200: schemas.FeedPage},
    queries=(*_PLACE, _WAIT),
    errors=("SHUTTING_DOWN",),
    event_stream=True,
)
_SOCKET = Route(
    "GET",
    "/ws",
    open_socket,
    "The same over WebSocket, and posting with an acknowledgement after the commit",
    {101: None},
    queries=_PLACE,
    errors=("WEBSOCKET_CONNECTION_FAILED", "ORIGIN_NOT_ALLOWED", "SHUTTING_DOWN"),
    client_frames=ClientFrame,
)

ROUTES: tuple[Route, ...] = (
    *messages.ROUTES,  # first: the router tries patterns in order, and messages are most of what comes
    *threads.ROUTES,
    *message_links.ROUTES,
    *boosts.ROUTES,
    *marks.ROUTES,
    *accounts.ROUTES,
    *sessions.ROUTES,
    *sign_in_links.ROUTES,
    *users.ROUTES,
    *profile.ROUTES,
    *rooms.ROUTES,
    *memberships.ROUTES,
    *presence.ROUTES,
    *attachments.ROUTES,
    *link_previews.ROUTES,
    *pictures.ROUTES,
    *exports.ROUTES,
    *search.ROUTES,
    *searches.ROUTES,
    *deliveries.ROUTES,
    *webhooks.ROUTES,
    *endpoints.ROUTES,
    *bots.ROUTES,
    *push.ROUTES,
    _FEED,
    _SOCKET,
    *health.ROUTES,
)

log = structlog.get_logger()
http_log = logging.getLogger("campfire.http")


def build_app(engine: Engine, hub: FeedHub, *, body_seconds: float = 60) -> web.Application:
    """The whole HTTP and WebSocket interface over one engine.

    A request's body must have arrived `body_seconds` after its head; one that never comes would hold
    its connection for ever.
    """
    http_log.addFilter(_is_our_fault)
    app = web.Application(middlewares=[guard], client_max_size=_LARGEST_BODY, handler_args={"logger": http_log})
    app[ENGINE] = engine
    app[HUB] = hub
    app[ACTIVITY] = Activity(engine, hub)
    app[PASSWORDS] = Passwords()
    app[PULLS] = endpoints.Pulls()
    app[BLOBS] = BlobStore(engine.settings.blobs_path)
    app[THUMBNAILS] = Thumbnails()
    app[EXPORTS] = exports.Exports(engine.settings)
    app[REMOVER] = Remover(engine)
    app[SCRUBBER] = Scrubber(engine)
    if engine.settings.link_previews == "on":
        app[LINK_PREVIEWER] = LinkPreviewer(engine, app[BLOBS], app[THUMBNAILS])
    app[BODY_SECONDS] = body_seconds
    app[SIGN_IN_LIMITER] = RateLimiter(engine.clock, limit=10, seconds=180)
    if engine.settings.rate_limit_rpm:
        app[RATE_LIMITER] = RateLimiter(engine.clock, limit=engine.settings.rate_limit_rpm, seconds=60)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.handler)
    once.add_routes(app.router)
    _add_documentation(app)
    app.cleanup_ctx.append(_running)
    return app


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Keeps a traceback for every scanner that does not speak HTTP out of the log; each was answered with 400."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, (HttpProcessingError, web.RequestPayloadError))


def _add_documentation(app: web.Application) -> None:
    document = openapi.document(ROUTES)
    as_json = msgspec.json.encode(document)
    pages = {"/docs/api": docs_page.api_page(document), "/docs/errors": docs_page.errors_page()}

    async def serve_openapi(_request: web.Request) -> web.Response:
        return web.Response(body=as_json, content_type="application/json")

    async def serve_page(request: web.Request) -> web.Response:
        policy = {"Content-Security-Policy": docs_page.STYLE_POLICY}
        return web.Response(text=pages[request.path], content_type="text/html", headers=policy)

    async def serve_style(_request: web.Request) -> web.Response:
        return web.Response(text=docs_page.style_sheet(), content_type="text/css")

    app.router.add_get("/openapi.json", serve_openapi)
    app.router.add_get("/docs/style.css", serve_style)
    for path in pages:
        app.router.add_get(path, serve_page)


async def _running(app: web.Application) -> AsyncIterator[None]:
    """What runs beside the requests, and ends with them."""
    app[HUB].start()
    previewer = app.get(LINK_PREVIEWER)
    if previewer is not None:
        previewer.start()
    await asyncio.to_thread(app[EXPORTS].discard_leftovers)
    beside = [
        asyncio.create_task(_record_expiry(app[ENGINE])),
        asyncio.create_task(_announce_read_only(app[ENGINE], app[HUB])),
        asyncio.create_task(app[ACTIVITY].run()),
        asyncio.create_task(BlobCollector(app[ENGINE], app[BLOBS]).run()),
        asyncio.create_task(app[REMOVER].run()),
        asyncio.create_task(app[SCRUBBER].run()),
    ]
    yield
    if previewer is not None:
        await previewer.close()
    for task in beside:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*beside)
    await app[ACTIVITY].close()
    app[PASSWORDS].close()


async def _record_expiry(engine: Engine) -> None:
    """Put on record, once a minute, which sessions have run out; until then they are refused all the same."""
    while True:
        try:
            await engine.perform(lambda: decide_expiry(engine.directory, at=engine.clock.now_ms()))
        except CampfireError as error:
            log.warning("session_expiry_not_recorded", code=error.code)
        await asyncio.sleep(_SWEEP_SECONDS)


async def _announce_read_only(engine: Engine, hub: FeedHub) -> None:
    """Tell every client when nothing can be written, and when it can again: it says so, and keeps what was typed."""
    last: str | None = None
    while True:
        code = engine.health().write_error
        if code != last:
            last = code
            hub.announce_status({"read_only": code is not None, "code": code})
        await asyncio.sleep(_LOOK_SECONDS)
