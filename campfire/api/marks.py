"""Pins of a room, and what one saves for oneself."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.keys import ENGINE
from campfire.api.message_views import message_views
from campfire.api.messages import required_state
from campfire.api.routes import Query, Route, answer, no_content, whole_number
from campfire.domain.marks import decide_pin, decide_save
from campfire.domain.rooms import readable_room
from projections.queries import messages
from projections.queries.details import details_of

_MOST_PINS = 200
_PAGE = 50
_LARGEST_PAGE = 200


async def pin(request: web.Request) -> web.Response:
    return await _pin(request, pinned=True)


async def unpin(request: web.Request) -> web.Response:
    return await _pin(request, pinned=False)


async def list_pins(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    room = readable_room(engine.directory, request.match_info["room_id"], actor.user_id)
    rows = await messages.pinned(engine.read_models, room.id, _MOST_PINS)
    return answer(schemas.Messages(messages=await message_views(engine.read_models, rows, actor.user_id)))


async def save(request: web.Request) -> web.Response:
    return await _save(request, saved=True)


async def unsave(request: web.Request) -> web.Response:
    return await _save(request, saved=False)


async def list_saved(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    limit = whole_number(request, "limit", _PAGE, 1, _LARGEST_PAGE)
    rows = await messages.saved(engine.read_models, actor.user_id, limit, before=request.query.get("before"))
    return answer(schemas.Messages(messages=await message_views(engine.read_models, rows, actor.user_id)))


async def _pin(request: web.Request, *, pinned: bool) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    message = await required_state(engine, request.match_info["message_id"])
    await engine.perform(
        lambda: decide_pin(engine.directory, message, pinned=pinned, actor_id=actor.user_id, at=engine.clock.now_ms())
    )
    return no_content()


async def _save(request: web.Request, *, saved: bool) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    message = await required_state(engine, request.match_info["message_id"])
    details = await details_of(engine.read_models, [message.id], actor.user_id)
    await engine.perform(
        lambda: decide_save(
            engine.directory,
            message,
            saved=saved,
            is_saved=message.id in details.saved,
            actor_id=actor.user_id,
            at=engine.clock.now_ms(),
        )
    )
    return no_content()


_ERRORS = ("MESSAGE_NOT_FOUND", "ROOM_ACCESS_DENIED")
_PIN = "/api/v1/messages/{message_id}/pin"
_SAVE = "/api/v1/messages/{message_id}/save"

ROUTES = (
    Route("PUT", _PIN, pin, "Pin a message for its room", {204: None}, errors=(*_ERRORS, "ROOM_ARCHIVED")),
    Route("DELETE", _PIN, unpin, "Take a pin away", {204: None}, errors=(*_ERRORS, "ROOM_ARCHIVED")),
    Route(
        "GET",
        "/api/v1/rooms/{room_id}/pins",
        list_pins,
        "What is pinned in a room, the last pin first",
        {200: schemas.Messages},
        errors=("ROOM_NOT_FOUND", "ROOM_ACCESS_DENIED"),
    ),
    Route("PUT", _SAVE, save, "Save a message for myself", {204: None}, errors=_ERRORS),
    Route("DELETE", _SAVE, unsave, "Save it no longer", {204: None}, errors=_ERRORS),
    Route(
        "GET",
        "/api/v1/saved",
        list_saved,
        "What I saved, the last saved first",
        {200: schemas.Messages},
        queries=(
            Query("before", {"type": "string"}, "a message id; what was saved before it"),
            Query("limit", {"type": "integer", "minimum": 1, "maximum": _LARGEST_PAGE}, "messages in the page"),
        ),
    ),
)
