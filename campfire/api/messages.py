"""Messages of a room."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.hops import hops_said_by
from campfire.api.keys import ENGINE
from campfire.api.message_views import message_view, message_views
from campfire.api.posting import post_message
from campfire.api.routes import Query, Route, answer, body_of, no_content, whole_number
from campfire.domain.errors import MessageNotFound, PermissionDenied
from campfire.domain.events import MessageDeleted, MessageEdited, MessagePosted, NewEvent, RecordedEvent
from campfire.domain.messages import MessageState, decide_delete, decide_edit
from campfire.domain.rooms import readable_room
from campfire.domain.sounds import SOUNDS
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.eventlog.errors import VersionConflict
from campfire.iso_times import iso_from_ms, ms_from_iso
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
        reply_to=wanted.reply_to,
        uploads=wanted.uploads,
        hops=hops_said_by(actor, request),
    )
    return answer(message, 200 if message.duplicate else 201)


async def list_messages(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    room = readable_room(engine.directory, request.match_info["room_id"], actor.user_id)
    limit = whole_number(request, "limit", _PAGE, 1, _LARGEST_PAGE)
    anchors = [name for name in ("before", "after", "around", "from") if name in request.query]
    if len(anchors) > 1:
        raise CampfireError("VALIDATION_FAILED", "Only one of before, after, around and from can be given.")
    if not anchors:
        rows = await messages.latest(engine.read_models, room.id, limit)
    elif anchors == ["from"]:
        rows = await messages.since(engine.read_models, room.id, _moment(request.query["from"]), limit)
    else:
        anchor = await _shown(engine, request.query[anchors[0]], room.id)
        page = {"before": messages.before, "after": messages.after, "around": messages.around}[anchors[0]]
        rows = await page(engine.read_models, anchor, limit)
    return answer(schemas.Messages(messages=await message_views(engine.read_models, rows, actor.user_id)))


async def read_message(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    row = await messages.by_id(engine.read_models, request.match_info["message_id"])
    if row is None or row.deleted_at is not None:
        raise MessageNotFound("There is no such message; it may have been deleted.")
    readable_room(engine.directory, row.room_id, actor.user_id)
    return answer(await message_view(engine.read_models, row, actor.user_id))


async def edit_message(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.EditMessage)
    hops = hops_said_by(actor, request)
    message_id = request.match_info["message_id"]
    await change_message(
        engine,
        message_id,
        lambda message: decide_edit(
            engine.directory,
            message,
            actor_id=actor.user_id,
            body=wanted.body,
            truncate=wanted.overflow == "truncate",
            hops=hops,
            at=engine.clock.now_ms(),
        ),
    )
    row = await messages.by_id(engine.read_models, message_id)
    if row is None or row.deleted_at is not None:
        raise MessageNotFound("The message has been deleted meanwhile.")
    return answer(await message_view(engine.read_models, row, actor.user_id))


async def message_history(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    message = await required_state(engine, request.match_info["message_id"])
    readable_room(engine.directory, message.room_id, actor.user_id)
    if engine.directory.user(actor.user_id).role != "administrator" and actor.user_id != message.author_id:
        raise PermissionDenied("Only the author and administrators see what a message said before.")
    history = await asyncio.to_thread(engine.reader.read_stream, message.id)
    return answer(_history(history))


async def list_sounds(_request: web.Request) -> web.Response:
    return answer(schemas.Sounds(sounds=list(SOUNDS)))


async def delete_message(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    await change_message(
        engine,
        request.match_info["message_id"],
        lambda message: decide_delete(engine.directory, message, actor_id=actor.user_id, at=engine.clock.now_ms()),
    )
    return no_content()


async def change_message(engine: Engine, message_id: str, decide: Callable[[MessageState], Sequence[NewEvent]]) -> None:
    """Decide from the message as it is; again from how it is then, if somebody else was faster."""
    for _ in range(_TRIES):
        events = decide(await required_state(engine, message_id))
        if not events:
            return
        try:
            await engine.append(events)
            return
        except VersionConflict:
            continue
    raise CampfireError("DATABASE_CONSTRAINT_VIOLATION", retry_after=1)


async def required_state(engine: Engine, message_id: str) -> MessageState:
    """What a decision about a message needs. Raises `MessageNotFound`."""
    state = await messages.state(engine.read_models, message_id)
    if state is None:
        raise MessageNotFound("There is no such message.")
    return state


def _history(recorded: Sequence[RecordedEvent]) -> schemas.MessageHistory:
    versions: list[schemas.MessageVersion] = []
    deleted: MessageDeleted | None = None
    for event in (each.event for each in recorded):
        if isinstance(event, MessageDeleted):
            deleted = event
        elif isinstance(event, MessagePosted | MessageEdited):
            by = event.author_id if isinstance(event, MessagePosted) else event.by
            versions.append(schemas.MessageVersion(body=event.body, by=by, at=iso_from_ms(event.at)))
    if deleted is None:
        return schemas.MessageHistory(versions=versions)
    gone = [msgspec.structs.replace(version, body="") for version in versions]
    return schemas.MessageHistory(versions=gone, deleted_at=iso_from_ms(deleted.at), deleted_by=deleted.by or None)


def _moment(text: str) -> int:
    """Milliseconds; 0 for "first"."""
    if text == "first":
        return 0
    try:
        return ms_from_iso(text)
    except (ValueError, OverflowError) as error:
        detail = 'from must be "first" or an ISO 8601 time.'
        raise CampfireError("VALIDATION_FAILED", detail, errors=[{"field": "from", "message": detail}]) from error


async def _shown(engine: Engine, message_id: str, room_id: str) -> MessageRow:
    row = await messages.by_id(engine.read_models, message_id)
    if row is None or row.room_id != room_id:
        raise MessageNotFound("There is no such message in this room.")
    return row


_ROOM = ("ROOM_NOT_FOUND", "ROOM_ACCESS_DENIED")
CHANGE_ERRORS = ("MESSAGE_NOT_FOUND", "PERMISSION_DENIED", "ROOM_ACCESS_DENIED", "ROOM_ARCHIVED")
_ANCHOR = {"type": "string"}

ROUTES = (
    Route(
        "POST",
        "/api/v1/rooms/{room_id}/messages",
        post,
        "Post a message; a repeat of client_message_id returns the first result",
        {201: schemas.Message, 200: schemas.Message},
        body=schemas.PostMessage,
        errors=(*_ROOM, "MESSAGE_TOO_LONG", "CLIENT_MESSAGE_ID_REUSED", "ROOM_ARCHIVED", "UPLOAD_NOT_FOUND"),
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
            Query("from", _ANCHOR, 'an ISO 8601 time, or "first"; the page begins there'),
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
        errors=(*CHANGE_ERRORS, "MESSAGE_TOO_LONG"),
    ),
    Route(
        "GET",
        "/api/v1/messages/{message_id}/history",
        message_history,
        "What a message said before; for its author and administrators",
        {200: schemas.MessageHistory},
        errors=("MESSAGE_NOT_FOUND", "ROOM_ACCESS_DENIED", "PERMISSION_DENIED"),
    ),
    Route(
        "GET",
        "/api/v1/sounds",
        list_sounds,
        "The sounds that /play NAME knows",
        {200: schemas.Sounds},
        signed_in=False,
    ),
    Route(
        "DELETE", "/api/v1/messages/{message_id}", delete_message, "Delete a message", {204: None}, errors=CHANGE_ERRORS
    ),
)
