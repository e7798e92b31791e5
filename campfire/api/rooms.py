"""Rooms: made, shown, changed, read, and brought to their end."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.keys import ENGINE, REMOVER
from campfire.api.routes import Query, Route, answer, body_of, flag, no_content
from campfire.api.views import room_view
from campfire.domain import ids
from campfire.domain.errors import MessageNotFound, ValidationFailed
from campfire.domain.reading import decide_read
from campfire.domain.rooms import (
    decide_archive_room,
    decide_change_room,
    decide_create_room,
    decide_delete_room,
    decide_reopen_room,
    readable_room,
)
from campfire.engine import Engine
from projections.queries import messages, unread


async def list_rooms(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    mine = engine.directory.rooms_of(actor.user_id)
    if flag(request, "joinable"):
        rooms = [each for each in engine.directory.rooms.values() if each.kind == "open" and each.is_alive]
        rooms = [room for room in rooms if room.id not in mine]
    else:
        rooms = [engine.directory.rooms[room_id] for room_id in mine]
    rooms.sort(key=lambda room: (room.name.casefold(), room.id))
    counts = await unread.counts(engine.read_models, actor.user_id)
    shown = [
        room_view(engine.directory, room, actor.user_id, unread=counts.get(room.id, unread.NOTHING)) for room in rooms
    ]
    return answer(schemas.Rooms(rooms=shown))


async def create_room(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.CreateRoom)
    room_id = engine.new_id()
    if wanted.kind == "direct":
        room_id = ids.direct_room_id({*wanted.members, actor.user_id})
    recorded = await engine.perform(
        lambda: decide_create_room(
            engine.directory,
            room_id=room_id,
            name=wanted.name,
            kind=wanted.kind,
            members=wanted.members,
            actor_id=actor.user_id,
            at=engine.clock.now_ms(),
        )
    )
    return await room_answer(engine, room_id, actor.user_id, 201 if recorded else 200)


async def read_room(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    room = readable_room(engine.directory, request.match_info["room_id"], actor.user_id)
    return await room_answer(engine, room.id, actor.user_id)


async def change_room(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.ChangeRoom)
    room_id = request.match_info["room_id"]
    await engine.perform(
        lambda: decide_change_room(
            engine.directory,
            room_id=room_id,
            name=wanted.name,
            kind=wanted.kind,
            actor_id=actor.user_id,
            at=engine.clock.now_ms(),
        )
    )
    return await room_answer(engine, room_id, actor.user_id)


async def archive_room(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    room_id = request.match_info["room_id"]
    await engine.perform(
        lambda: decide_archive_room(engine.directory, room_id=room_id, actor_id=actor.user_id, at=engine.clock.now_ms())
    )
    return await room_answer(engine, room_id, actor.user_id)


async def reopen_room(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    room_id = request.match_info["room_id"]
    await engine.perform(
        lambda: decide_reopen_room(engine.directory, room_id=room_id, actor_id=actor.user_id, at=engine.clock.now_ms())
    )
    return await room_answer(engine, room_id, actor.user_id)


async def delete_room(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    room_id = request.match_info["room_id"]
    await engine.perform(
        lambda: decide_delete_room(engine.directory, room_id=room_id, actor_id=actor.user_id, at=engine.clock.now_ms())
    )
    request.app[REMOVER].look_soon()
    return no_content()


async def mark_read(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.MarkRead)
    room = readable_room(engine.directory, request.match_info["room_id"], actor.user_id)
    position = await _place_in(engine, room.id, wanted)
    await engine.perform(
        lambda: decide_read(
            engine.directory,
            room_id=room.id,
            user_id=actor.user_id,
            position=position,
            at=engine.clock.now_ms(),
        )
    )
    return no_content()


async def room_answer(engine: Engine, room_id: str, user_id: str, status: int = 200) -> web.Response:
    """The room as somebody sees it now, with its members."""
    counts = await unread.counts(engine.read_models, user_id)
    room = engine.directory.rooms[room_id]
    shown = room_view(engine.directory, room, user_id, unread=counts.get(room_id, unread.NOTHING), with_members=True)
    return answer(shown, status)


async def _place_in(engine: Engine, room_id: str, wanted: schemas.MarkRead) -> int:
    """The position that `wanted` means. Raises `ValidationFailed`, `MessageNotFound`."""
    if wanted.position is not None and wanted.message_id is None:
        # Nobody can have read what has not happened; a client that thinks so would hide what comes.
        return min(wanted.position, engine.position)
    if wanted.message_id is None or wanted.position is not None:
        detail = "Say up to where by a position or by a message_id, not both."
        raise ValidationFailed(detail, errors=[{"field": "position", "message": detail}])
    row = await messages.by_id(engine.read_models, wanted.message_id)
    if row is None or row.room_id != room_id:
        raise MessageNotFound("There is no such message in this room.")
    return row.position


ROOM_ERRORS = ("ROOM_NOT_FOUND", "ROOM_ACCESS_DENIED")
ADMINISTERED_ERRORS = (*ROOM_ERRORS, "PERMISSION_DENIED", "ROOM_ARCHIVED")

ROUTES = (
    Route(
        "GET",
        "/api/v1/rooms",
        list_rooms,
        "My rooms, by name, with unread counts; or the open rooms that I could join",
        {200: schemas.Rooms},
        queries=(Query("joinable", {"type": "boolean"}, "true for the open rooms that I am not in"),),
    ),
    Route(
        "POST",
        "/api/v1/rooms",
        create_room,
        "Create a room, or find the direct room of these people",
        {201: schemas.Room, 200: schemas.Room},
        body=schemas.CreateRoom,
        errors=("USER_NOT_FOUND", "PERMISSION_DENIED", "ROOM_BEING_DELETED"),
    ),
    Route("GET", "/api/v1/rooms/{room_id}", read_room, "One room", {200: schemas.Room}, errors=ROOM_ERRORS),
    Route(
        "PATCH",
        "/api/v1/rooms/{room_id}",
        change_room,
        "Rename a room, open it to everybody, or close it",
        {200: schemas.Room},
        body=schemas.ChangeRoom,
        errors=ADMINISTERED_ERRORS,
    ),
    Route(
        "DELETE",
        "/api/v1/rooms/{room_id}",
        delete_room,
        "Delete a room with everything said in it",
        {204: None},
        errors=(*ROOM_ERRORS, "PERMISSION_DENIED"),
    ),
    Route(
        "POST",
        "/api/v1/rooms/{room_id}/archive",
        archive_room,
        "Archive a room: readable, but closed",
        {200: schemas.Room},
        errors=ADMINISTERED_ERRORS,
    ),
    Route(
        "DELETE",
        "/api/v1/rooms/{room_id}/archive",
        reopen_room,
        "Bring an archived room back",
        {200: schemas.Room},
        errors=ADMINISTERED_ERRORS,
    ),
    Route(
        "POST",
        "/api/v1/rooms/{room_id}/read",
        mark_read,
        "I have read up to a position or a message",
        {204: None},
        body=schemas.MarkRead,
        errors=(*ROOM_ERRORS, "MESSAGE_NOT_FOUND"),
    ),
)
