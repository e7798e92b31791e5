"""One's own data, a room, or the whole account, as one tar that is made on disk and sent piece by piece."""

import asyncio
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog
from aiohttp import web

from campfire.api.auth import authenticated
from campfire.api.keys import ENGINE, EXPORTS
from campfire.api.middleware import add_common_headers
from campfire.api.routes import Route
from campfire.blobs.file_names import content_disposition
from campfire.blobs.private_directories import make_private
from campfire.blobs.threads import in_thread
from campfire.config import Settings
from campfire.domain.exports import decide_export_account, exportable_room
from campfire.errors import CampfireError
from campfire.exports.form import Wanted
from campfire.exports.tar import tar_of
from campfire.exports.writing import Stopped, write_export

MEDIA_TYPE = "application/x-tar"
_AT_ONCE = 2
_STALLED_SECONDS = 60
"""After which a client that takes nothing is given up: its export holds a turn and room on the disk."""

_PAUSE_SECONDS = 0.005
"""After each page of the log, so that those who chat hardly notice."""

log = structlog.get_logger()


class Exports:
    """The exports that are being made or sent: two at once, one for each person."""

    def __init__(self, settings: Settings) -> None:
        self._directory = settings.exports_path
        self._import = settings.import_path
        self._people: set[str] = set()

    def discard_leftovers(self) -> None:
        """Remove what a crash left, of exports and of the import of an account."""
        for directory in (self._directory, self._import):
            shutil.rmtree(directory, ignore_errors=True)

    @asynccontextmanager
    async def turn(self, user_id: str) -> AsyncIterator[Path]:
        """A path for one export, which is gone afterwards. Raises `CampfireError` `SERVER_BUSY`."""
        if user_id in self._people or len(self._people) >= _AT_ONCE:
            raise CampfireError("SERVER_BUSY", "Another export is being made; wait until it is done.", retry_after=30)
        self._people.add(user_id)
        path = self._directory / secrets.token_hex(16)
        try:
            await in_thread(lambda: make_private(self._directory))
            yield path
        finally:
            self._people.discard(user_id)
            await in_thread(lambda: shutil.rmtree(path, ignore_errors=True))


async def export_me(request: web.Request) -> web.StreamResponse:
    actor = authenticated(request)
    return await _send(request, actor.user_id, Wanted(kind="person", id=actor.user_id))


async def export_room(request: web.Request) -> web.StreamResponse:
    actor = authenticated(request)
    room = exportable_room(request.app[ENGINE].directory, request.match_info["room_id"], actor.user_id)
    wanted = Wanted(kind="room", id=room.id, earlier_texts=actor.is_administrator)
    return await _send(request, actor.user_id, wanted)


async def export_account(request: web.Request) -> web.StreamResponse:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    await engine.perform(
        lambda: decide_export_account(engine.directory, actor_id=actor.user_id, at=engine.clock.now_ms())
    )
    return await _send(request, actor.user_id, Wanted(kind="account"))


async def _send(request: web.Request, user_id: str, wanted: Wanted) -> web.StreamResponse:
    now_ms = request.app[ENGINE].clock.now_ms()
    async with request.app[EXPORTS].turn(user_id) as path:
        await _make(request, wanted, path, now_ms)
        response = web.StreamResponse(
            headers={
                "Content-Type": MEDIA_TYPE,
                "Content-Disposition": content_disposition(f"campfire-{wanted.kind}.tar", inline=False),
            }
        )
        add_common_headers(request, response)
        await response.prepare(request)
        try:
            await _send_all(response, tar_of(path, at=now_ms / 1000))
        except (OSError, TimeoutError) as error:  # a lost connection is an OSError too
            log.warning("export_not_sent", kind=wanted.kind, error=str(error))
            if request.transport is not None:
                request.transport.abort()  # rather than an end that looks like one
            return response
    # Not before the turn is over: who has it all may ask for the next at once.
    await response.write_eof()
    return response


async def _make(request: web.Request, wanted: Wanted, path: Path, now_ms: int) -> None:
    """Write the export, and stop soon if whoever wanted it has gone."""
    settings = request.app[ENGINE].settings
    gone = False

    def progress(_done: int, _total: int) -> None:
        if gone:
            raise Stopped
        time.sleep(_PAUSE_SECONDS)

    writing = asyncio.ensure_future(
        in_thread(lambda: write_export(settings, wanted, path, now_ms=now_ms, progress=progress, link_blobs=True))
    )
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        gone = True
        with suppress(Exception):  # it ends one way or another; nobody waits for it any more
            await writing
        raise


async def _send_all(response: web.StreamResponse, pieces: Iterator[bytes]) -> None:
    while chunk := await in_thread(lambda: next(pieces, b"")):
        async with asyncio.timeout(_STALLED_SECONDS):
            await response.write(chunk)


_ROOM = ("ROOM_NOT_FOUND", "ROOM_ACCESS_DENIED", "PERMISSION_DENIED")

ROUTES = (
    Route(
        "GET",
        "/api/v1/me/export",
        export_me,
        "Everything about me, as a tar",
        {200: None},
        errors=("SERVER_BUSY",),
        gives=(MEDIA_TYPE,),
    ),
    Route(
        "GET",
        "/api/v1/rooms/{room_id}/export",
        export_room,
        "A room with its people and files, as a tar",
        {200: None},
        errors=("SERVER_BUSY", *_ROOM),
        gives=(MEDIA_TYPE,),
    ),
    Route(
        "GET",
        "/api/v1/account/export",
        export_account,
        "Everything but secrets, as a tar, which everybody is told of; for administrators",
        {200: None},
        errors=("SERVER_BUSY", "PERMISSION_DENIED"),
        gives=(MEDIA_TYPE,),
    ),
)
