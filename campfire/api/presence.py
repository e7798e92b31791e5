"""Who is here: in a room, or connected at all. And entering, leaving and typing for clients without a WebSocket."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.keys import ACTIVITY, ENGINE
from campfire.api.routes import Route, answer, no_content
from campfire.domain.rooms import readable_room
from campfire.iso_times import iso_from_ms
from projections.queries import presences


async def list_connected(request: web.Request) -> web.Response:
    authenticated(request)
    return answer(schemas.Connected(connected=request.app[ACTIVITY].connected.people()))


async def list_present(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    room = readable_room(engine.directory, request.match_info["room_id"], actor.user_id)
    rows = await presences.in_room(engine.read_models, room.id)
    shown = [
        schemas.Presence(user_id=row.user_id, since=iso_from_ms(row.since))
        for row in rows
        if row.user_id in room.members
    ]
    return answer(schemas.RoomPresence(present=shown))


async def enter_room(request: web.Request) -> web.Response:
    actor = authenticated(request)
    room_id = request.match_info["room_id"]
    await request.app[ACTIVITY].presences.enter_over_http(actor.user_id, actor.session_id, room_id)
    return no_content()


async def leave_room(request: web.Request) -> web.Response:
    actor = authenticated(request)
    room_id = request.match_info["room_id"]
    await request.app[ACTIVITY].leave_over_http(actor.user_id, actor.session_id, room_id)
    return no_content()


async def start_typing(request: web.Request) -> web.Response:
    actor = authenticated(request)
    request.app[ACTIVITY].typing.start(request.match_info["room_id"], actor.user_id)
    return no_content()


async def stop_typing(request: web.Request) -> web.Response:
    actor = authenticated(request)
    request.app[ACTIVITY].typing.stop(request.match_info["room_id"], actor.user_id)
    return no_content()


_ROOM = ("ROOM_NOT_FOUND", "ROOM_ACCESS_DENIED")

ROUTES = (
    Route("GET", "/api/v1/presence", list_connected, "Who is connected", {200: schemas.Connected}),
    Route(
        "GET",
        "/api/v1/rooms/{room_id}/presence",
        list_present,
        "Who has a room open, whoever came first first",
        {200: schemas.RoomPresence},
        errors=_ROOM,
    ),
    Route(
        "PUT",
        "/api/v1/rooms/{room_id}/presence",
        enter_room,
        "I have a room open, for the next minute",
        {204: None},
        errors=_ROOM,
    ),
    Route(
        "DELETE",
        "/api/v1/rooms/{room_id}/presence",
        leave_room,
        "I have a room open no more",
        {204: None},
        errors=_ROOM,
    ),
    Route(
        "PUT",
        "/api/v1/rooms/{room_id}/typing",
        start_typing,
        "I am typing, for the next seconds",
        {204: None},
        errors=_ROOM,
    ),
    Route(
        "DELETE",
        "/api/v1/rooms/{room_id}/typing",
        stop_typing,
        "I have stopped typing",
        {204: None},
        errors=_ROOM,
    ),
)
