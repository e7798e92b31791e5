"""Messages of a room."""

from collections.abc import Callable, Sequence

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.keys import ENGINE
from campfire.api.posting import message_from, post_message
from campfire.api.routes import Query, Route, answer, body_of, no_content, whole_number
from campfire.domain.errors import MessageNotFound
from campfire.domain.events import NewEvent
from campfire.domain.messages import MessageState, decide_delete, decide_edit
from campfire.domain.rooms import readable_room
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.eventlog.errors import VersionConflict
from projections.queries import messages
from projections.queries.messages import MessageRow

_PAGE = 50
_LARGEST_PAGE = 200
_TRIES = 4


async def post(request: web.Request) -> web.Response:
    actor = authenticated(request)
    wanted = await body_of(request, schemas.PostMessage)
    message = await post_message(
        request.app[ENGINE],
        actor.user_id,
        room_id=request.match_info["room_id"],
        body=wanted.body,
        client_message_id=wanted.client_message_id,
        overflow=wanted.overflow,
    )
    return answer(message, 200 if message.duplicate else 201)


async def list_messages(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    room = readable_room(engine.directory, request.match_info["room_id"], actor.user_id)
    limit = whole_number(request, "limit", _PAGE, 1, _LARGEST_PAGE)
    anchors = [name for name in ("before", "after", "around") if name in request.query]
    if len(anchors) > 1:
        raise CampfireError("VALIDATION_FAILED", "Only one of before, after and around can be given.")
    if not anchors:
        rows = await messages.latest(engine.read_models, room.id, limit)
    else:
        anchor = await _shown(engine, request.query[anchors[0]], room.id)
        page = {"before": messages.before, "after": messages.after, "around": messages.around}[anchors[0]]
        rows = await page(engine.read_models, anchor, limit)
    return answer(schemas.Messages(messages=[message_from(row) for row in rows]))


async def read_message(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    row = await messages.by_id(engine.read_models, request.match_info["message_id"])
    if row is None or row.deleted_at is not None:
        raise MessageNotFound("There is no such message; it may have been deleted.")
    readable_room(engine.directory, row.room_id, actor.user_id)
    return answer(message_from(row))


async def edit_message(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.EditMessage)
    message_id = request.match_info["message_id"]
    await _change(
        engine,
        message_id,
        lambda message: decide_edit(
            engine.directory,
            message,
            actor_id=actor.user_id,
            body=wanted.body,
            truncate=wanted.overflow == "truncate",
            at=engine.clock.now_ms(),
        ),
    )
    row = await messages.by_id(engine.read_models, message_id)
    if row is None or row.deleted_at is not None:
        raise MessageNotFound("The message has been deleted meanwhile.")
    return answer(message_from(row))


async def delete_message(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    await _change(
        engine,
        request.match_info["message_id"],
        lambda message: decide_delete(engine.directory, message, actor_id=actor.user_id, at=engine.clock.now_ms()),
    )
    return no_content()


async def _change(engine: Engine, message_id: str, decide: Callable[[MessageState], Sequence[NewEvent]]) -> None:
    """Decide from the message as it is; again from how it is then, if somebody else was faster."""
    for _ in range(_TRIES):
        state = await messages.state(engine.read_models, message_id)
        if state is None:
            raise MessageNotFound("There is no such message.")
        events = decide(state)
        if not events:
            return
        try:
            await engine.append(events)
            return
        except VersionConflict:
            continue
    raise CampfireError("DATABASE_CONSTRAINT_VIOLATION", retry_after=1)


async def _shown(engine: Engine, message_id: str, room_id: str) -> MessageRow:
    row = await messages.by_id(engine.read_models, message_id)
    if row is None or row.room_id != room_id:
        raise MessageNotFound("There is no such message in this room.")
    return row


_ROOM = ("ROOM_NOT_FOUND", "ROOM_ACCESS_DENIED")
_CHANGE = ("MESSAGE_NOT_FOUND", "PERMISSION_DENIED", "ROOM_ACCESS_DENIED", "ROOM_ARCHIVED")
_ANCHOR = {"type": "string"}

ROUTES = (
    Route(
        "POST",
        "/api/v1/rooms/{room_id}/messages",
        post,
        "Post a message; a repeat of client_message_id returns the first result",
        {201: schemas.Message, 200: schemas.Message},
        body=schemas.PostMessage,
        errors=(*_ROOM, "MESSAGE_TOO_LONG", "CLIENT_MESSAGE_ID_REUSED", "ROOM_ARCHIVED"),
    ),
    Route(
        "GET",
        "/api/v1/rooms/{room_id}/messages",
        list_messages,
        "A page of messages, oldest first; the latest unless a message is named",
        {200: schemas.Messages},
        queries=(
            Query("before", _ANCHOR, "a message id; the page ends just before it"),
            Query("after", _ANCHOR, "a message id; the page begins just after it"),
            Query("around", _ANCHOR, "a message id; the page has it in the middle"),
            Query("limit", {"type": "integer", "minimum": 1, "maximum": _LARGEST_PAGE}, "messages in the page"),
        ),
        errors=(*_ROOM, "MESSAGE_NOT_FOUND"),
    ),
    Route(
        "GET",
        "/api/v1/messages/{message_id}",
        read_message,
        "One message",
        {200: schemas.Message},
        errors=("MESSAGE_NOT_FOUND", "ROOM_ACCESS_DENIED"),
    ),
    Route(
        "PATCH",
        "/api/v1/messages/{message_id}",
        edit_message,
        "Edit a message",
        {200: schemas.Message},
        body=schemas.EditMessage,
        errors=(*_CHANGE, "MESSAGE_TOO_LONG"),
    ),
    Route("DELETE", "/api/v1/messages/{message_id}", delete_message, "Delete a message", {204: None}, errors=_CHANGE),
)
