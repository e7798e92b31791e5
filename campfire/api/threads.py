"""Threads: the replies to a message, alone."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.keys import ENGINE
from campfire.api.message_views import message_view, message_views
from campfire.api.routes import Query, Route, answer, body_of, no_content, whole_number
from campfire.domain.errors import MessageNotFound
from campfire.domain.marks import decide_read_thread
from campfire.domain.messages import MessageState
from campfire.domain.rooms import readable_room
from campfire.engine import Engine
from campfire.errors import CampfireError
from projections.queries import messages
from projections.queries.details import thread_read_upto
from projections.queries.messages import MessageRow

_PAGE = 50
_LARGEST_PAGE = 200


async def read_thread(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    first = await _first_of(engine, request.match_info["message_id"], actor.user_id)
    limit = whole_number(request, "limit", _PAGE, 1, _LARGEST_PAGE)
    before, after = [await _reply(engine, request.query.get(name), first.id) for name in ("before", "after")]
    if before is not None and after is not None:
        raise CampfireError("VALIDATION_FAILED", "Only one of before and after can be given.")
    rows = await messages.in_thread(engine.read_models, first.id, limit, before=before, after=after)
    return answer(
        schemas.Thread(
            first=await message_view(engine.read_models, first, actor.user_id),
            messages=await message_views(engine.read_models, rows, actor.user_id),
        )
    )


async def mark_thread_read(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.MarkThreadRead)
    first = await _first_of(engine, request.match_info["message_id"], actor.user_id)
    state = MessageState(first.id, first.room_id, first.author_id, first.version, first.body, deleted=False)
    read_upto = await thread_read_upto(engine.read_models, first.id, actor.user_id)
    await engine.perform(
        lambda: decide_read_thread(
            engine.directory,
            state,
            user_id=actor.user_id,
            position=min(wanted.position, engine.position),
            read_upto=read_upto,
            at=engine.clock.now_ms(),
        )
    )
    return no_content()


async def _first_of(engine: Engine, message_id: str, user_id: str) -> MessageRow:
    """The message that began the thread of this one, deleted or not: its replies are still there."""
    row = await messages.by_id(engine.read_models, message_id)
    if row is not None and row.thread_id is not None:
        row = await messages.by_id(engine.read_models, row.thread_id)
    if row is None:
        raise MessageNotFound("There is no such message.")
    readable_room(engine.directory, row.room_id, user_id)
    return row


async def _reply(engine: Engine, message_id: str | None, thread_id: str) -> MessageRow | None:
    if message_id is None:
        return None
    row = await messages.by_id(engine.read_models, message_id)
    if row is None or row.thread_id != thread_id:
        raise MessageNotFound("There is no such reply in this thread.")
    return row


_ERRORS = ("MESSAGE_NOT_FOUND", "ROOM_ACCESS_DENIED")
_ANCHOR = {"type": "string"}

ROUTES = (
    Route(
        "GET",
        "/api/v1/messages/{message_id}/thread",
        read_thread,
        "The thread that a message began or belongs to: a page of replies, oldest first; the last ones unless named",
        {200: schemas.Thread},
        queries=(
            Query("before", _ANCHOR, "a reply's id; the page ends just before it"),
            Query("after", _ANCHOR, "a reply's id; the page begins just after it"),
            Query("limit", {"type": "integer", "minimum": 1, "maximum": _LARGEST_PAGE}, "replies in the page"),
        ),
        errors=_ERRORS,
    ),
    Route(
        "POST",
        "/api/v1/messages/{message_id}/thread/read",
        mark_thread_read,
        "I have read the thread up to a position",
        {204: None},
        body=schemas.MarkThreadRead,
        errors=_ERRORS,
    ),
)
