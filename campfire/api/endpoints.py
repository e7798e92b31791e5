"""What belongs to the receiver of a webhook: its stream, for pulling, and the place in the log where it goes on."""

import asyncio
import contextlib
import hmac

import msgspec
from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated, presented_token
from campfire.api.keys import ENGINE, HUB, PULLS
from campfire.api.routes import Query, Route, answer, body_of, time_of, whole_number
from campfire.domain.accounts import require_administrator
from campfire.domain.errors import refused
from campfire.domain.events import NewEvent, RecordedEvent, WebhookCursorMoved, WebhookTested
from campfire.domain.states import WebhookState
from campfire.domain.webhook_cursors import decide_move_cursor, move_id_of
from campfire.domain.webhooks import administered_webhook
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.tokens import token_hash
from campfire.webhook_secrets import PULL_KEY_PREFIX
from outbox import stream
from outbox.planning import is_among

LONGEST_WAIT = 30
LONGEST_PAGE = 500
_USUAL_PAGE = 100
_MOST_WAITING = 50
"""Requests that wait for something new at once; more are answered with what there is."""
_LOOK_SECONDS = 0.25
_HIGHEST = 2**62
_NO_KEY = token_hash("")
"""Compared with where there is no key: an endpoint that is not there answers no sooner than one with another key."""


class Pulls:
    """How many requests wait for something new in a stream."""

    def __init__(self) -> None:
        self.waiting = 0


async def pull_events(request: web.Request) -> web.Response:
    """A page of the endpoint's stream; with `wait`, not before it holds something or that time is over."""
    _receiver(request)
    after = whole_number(request, "after", 0, 0, _HIGHEST)
    limit = whole_number(request, "limit", _USUAL_PAGE, 1, LONGEST_PAGE)
    wait = whole_number(request, "wait", 0, 0, LONGEST_WAIT)
    if wait:
        await _wait_for_more(request, after, wait)
    webhook, _ = _receiver(request)  # once more: its key may have been taken away meanwhile
    engine = request.app[ENGINE]
    page = await asyncio.to_thread(
        stream.page,
        engine.settings.outbox_path,
        engine.reader,
        webhook.id,
        after=after,
        limit=limit,
        may_see=_sight_of(engine, webhook),
    )
    return answer(
        schemas.StreamPage(
            events=[schemas.StreamEvent(id=each.id, body=msgspec.Raw(each.body)) for each in page.pulled],
            next=page.next,
            has_more=page.has_more,
            sequence=page.sequence,
            planned_upto=page.planned_upto,
        )
    )


async def move_own_cursor(request: web.Request) -> web.Response:
    webhook, actor_id = _receiver(request)
    return await _move(request, webhook.id, actor_id)


async def move_cursor(request: web.Request) -> web.Response:
    actor_id = authenticated(request).user_id
    require_administrator(request.app[ENGINE].directory, actor_id)
    return await _move(request, request.match_info["webhook_id"], actor_id)


def _receiver(request: web.Request) -> tuple[WebhookState, str | None]:
    """The endpoint that a request is about, and who asks: None is whoever holds its pull key, else an administrator.

    Raises `PULL_KEY_INVALID`, the same for a wrong key and for an endpoint that is not there.
    """
    directory, webhook_id = request.app[ENGINE].directory, request.match_info["endpoint_id"]
    webhook = directory.webhooks.get(webhook_id)
    token = presented_token(request)
    if token is None or not token.startswith(PULL_KEY_PREFIX):
        actor_id = authenticated(request).user_id
        return administered_webhook(directory, webhook_id, actor_id), actor_id
    known = _NO_KEY if webhook is None or webhook.pull_key_hash is None else webhook.pull_key_hash
    if not hmac.compare_digest(token_hash(token).encode(), known.encode()) or webhook is None:
        raise CampfireError("PULL_KEY_INVALID", "This is not the pull key of an endpoint with this id.")
    return webhook, None


def _sight_of(engine: Engine, webhook: WebhookState) -> stream.MaySee:
    """What the endpoint may be told today, whatever it was told when it happened; of a test always."""
    wanted = None if webhook.rooms is None else frozenset(webhook.rooms)
    rooms = engine.directory.rooms

    def may_see(event_type: str, room_id: str | None) -> bool:
        if event_type == WebhookTested.topic:
            return True
        if event_type not in webhook.events or not is_among(room_id, wanted):
            return False
        room = None if room_id is None else rooms.get(room_id)
        return room_id is None or (room is not None and not room.deleted)

    return may_see


async def _wait_for_more(request: web.Request, after: int, seconds: int) -> None:
    """Until the stream has a number above `after`, `seconds` are over, or nobody listens any more."""
    engine, hub, pulls = request.app[ENGINE], request.app[HUB], request.app[PULLS]
    if pulls.waiting >= _MOST_WAITING:
        return
    where = (engine.settings.outbox_path, engine.reader, request.match_info["endpoint_id"])
    pulls.waiting += 1
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not hub.closing and request.transport is not None:
                    if (await asyncio.to_thread(stream.place_of, *where)).sequence > after:
                        return
                    await asyncio.sleep(_LOOK_SECONDS)  # another process writes the stream: nobody can wake us
    finally:
        pulls.waiting -= 1


async def _move(request: web.Request, webhook_id: str, actor_id: str | None) -> web.Response:
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.MoveCursor)
    if wanted.again and wanted.move_id is not None:
        raise refused("again", "makes a move of its own, which cannot have a move_id that was used before")
    after, until = await asyncio.to_thread(_places, engine, wanted)
    move_id = move_id_of(webhook_id, wanted.move_id, after, until)
    if wanted.again:
        move_id = engine.new_id()
    elif (earlier := await asyncio.to_thread(_earlier, engine, webhook_id, move_id)) is not None:
        return answer(_moved(earlier, duplicate=True))

    def decide() -> list[NewEvent]:
        return decide_move_cursor(
            engine.directory,
            webhook_id=webhook_id,
            move_id=move_id,
            after=after,
            until=until,
            tip=engine.position,
            actor_id=actor_id,
            at=engine.clock.now_ms(),
        )

    [recorded] = await engine.perform(decide)
    return answer(_moved(recorded, duplicate=False), 202)


def _places(engine: Engine, wanted: schemas.MoveCursor) -> tuple[int, int | None]:
    """From where and up to where, as positions of the log; an end that is None is now. Raises `ValidationFailed`."""
    if (wanted.after is None) == (wanted.since is None):
        raise refused("after", "must be given, or else since, and not both")
    after = 0 if wanted.after is None else wanted.after
    if wanted.since is not None:
        since = time_of("since", wanted.since)
        if since > engine.clock.now_ms():
            raise refused("since", "must not be in the future")
        after = engine.reader.position_at(since - 1)
    if isinstance(wanted.until, str):
        return after, engine.reader.position_at(time_of("until", wanted.until))
    return after, wanted.until


def _earlier(engine: Engine, webhook_id: str, move_id: str) -> RecordedEvent | None:
    """The same move, if it was recorded before; two at the same moment are told apart by the outbox."""
    if webhook_id not in engine.directory.webhooks:
        return None
    for recorded in engine.reader.read_stream(webhook_id):
        if isinstance(recorded.event, WebhookCursorMoved) and recorded.event.move_id == move_id:
            return recorded
    return None


def _moved(recorded: RecordedEvent, *, duplicate: bool) -> schemas.CursorMoved:
    event = recorded.event
    assert isinstance(event, WebhookCursorMoved)
    until = recorded.position - 1 if event.until is None else event.until
    return schemas.CursorMoved(
        move_id=event.move_id,
        after=event.after,
        until=until,
        events=until - event.after,
        position=recorded.position,
        duplicate=duplicate,
    )


_ENDPOINT = "/api/v1/endpoints/{endpoint_id}"
_MOVED: dict[int, type[schemas.Answer] | None] = {202: schemas.CursorMoved, 200: schemas.CursorMoved}
_RECEIVER = ("PULL_KEY_INVALID", "PERMISSION_DENIED", "WEBHOOK_NOT_FOUND")

ROUTES = (
    Route(
        "GET",
        f"{_ENDPOINT}/events",
        pull_events,
        "A webhook's deliveries in order, as they are pushed; with its pull key, or for administrators",
        {200: schemas.StreamPage},
        queries=(
            Query("after", {"type": "integer", "minimum": 0}, "the last sequence that I have; 0: from the beginning"),
            Query("limit", {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE}, "deliveries on a page"),
            Query("wait", {"type": "integer", "minimum": 0, "maximum": LONGEST_WAIT}, "seconds to wait for something"),
        ),
        errors=(*_RECEIVER, "OUTBOX_UNREADABLE"),
    ),
    Route(
        "POST",
        f"{_ENDPOINT}/cursor",
        move_own_cursor,
        "Let my deliveries go on from a place in the log; with the pull key, or for administrators",
        _MOVED,
        body=schemas.MoveCursor,
        errors=_RECEIVER,
    ),
    Route(
        "POST",
        "/api/v1/webhooks/{webhook_id}/cursor",
        move_cursor,
        "Let a webhook's deliveries go on from a place in the log; administrators may",
        _MOVED,
        body=schemas.MoveCursor,
        errors=("PERMISSION_DENIED", "WEBHOOK_NOT_FOUND"),
    ),
)
