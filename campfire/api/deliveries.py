"""What was sent to webhooks and bots, and what was given up, for administrators."""

import asyncio
from collections.abc import Sequence
from typing import cast

import msgspec
from aiohttp import web

from campfire.api.auth import authenticated
from campfire.api.keys import ENGINE
from campfire.api.routes import Query, Route, answer, body_of, time_of, whole_number
from campfire.api.schemas import deliveries as shapes
from campfire.domain.accounts import require_administrator
from campfire.domain.errors import WebhookNotFound, refused
from campfire.domain.webhook_operations import LetterChoice, require_sensible
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.iso_times import iso_from_ms
from campfire.outbox_requests import put_on_record
from campfire.outbox_words import Drop, Replay, Requested
from outbox import letters
from outbox.attempts import AttemptMade
from outbox.explain import story
from outbox.facts import DeliveryFacts, delivery_facts
from outbox.history import STATES, deliveries_of
from outbox.history import PastDelivery as Past
from outbox.letters import LetterCount

_MOST = 200


async def list_deliveries(request: web.Request) -> web.Response:
    engine, endpoint_id = _engine(request), _endpoint_id(request)
    state = request.query.get("state")
    if state is not None and state not in STATES:
        raise refused("state", f"must be one of {', '.join(STATES)}")
    before = whole_number(request, "before", 1 << 62, 1, 1 << 62)
    limit = whole_number(request, "limit", 50, 1, _MOST)
    found = await asyncio.to_thread(
        deliveries_of, engine.settings.outbox_path, endpoint_id, state=state, before=before, limit=limit
    )
    return answer(shapes.PastDeliveries(deliveries=[_past(each) for each in found]))


async def read_delivery(request: web.Request) -> web.Response:
    engine, endpoint_id = _engine(request), _endpoint_id(request)
    delivery_id = request.match_info["delivery_id"]
    facts = await asyncio.to_thread(delivery_facts, engine.settings, delivery_id, engine.clock.now_ms())
    if facts.endpoint_id != endpoint_id:
        raise CampfireError("DELIVERY_NOT_FOUND", "It is another endpoint's delivery.")
    return answer(_delivery(facts))


async def list_dead_letters(request: web.Request) -> web.Response:
    engine = _engine(request)
    choice = LetterChoice(
        webhook_id=request.query.get("webhook_id"),
        failure_class=request.query.get("failure_class"),
        since=_time_or_none("since", request.query.get("since")),
        upto=_time_or_none("until", request.query.get("until")),
    )
    limit = whole_number(request, "limit", letters.LISTED, 1, _MOST)
    path = engine.settings.outbox_path
    found = await asyncio.to_thread(letters.dead_letters, path, choice, limit=limit)
    counts = await asyncio.to_thread(letters.counted, path, choice)
    return answer(
        shapes.DeadLetters(
            dead_letters=[
                shapes.DeadLetter(
                    id=each.id,
                    webhook_id=each.endpoint_id,
                    kind=each.kind,
                    name=each.name,
                    url=each.url,
                    event_type=each.event_type,
                    position=each.position,
                    sequence=each.sequence,
                    attempt_count=each.attempts,
                    failure_class=each.failure_class,
                    failure=each.failure,
                    died_at=iso_from_ms(each.died_at),
                )
                for each in found
            ],
            counts=_counts(counts),
        )
    )


async def replay_dead_letters(request: web.Request) -> web.Response:
    engine = _engine(request)
    wanted = await body_of(request, shapes.ReplayDeadLetters)
    choice, counts = await _chosen(engine, wanted)
    done = None
    if counts and not wanted.dry_run:
        asked = Replay(choice=letters.settled(choice, counts), request_id=wanted.replay_id)
        done = await put_on_record(engine, asked)
    return _told(wanted, counts, done)


async def drop_dead_letters(request: web.Request) -> web.Response:
    engine = _engine(request)
    wanted = await body_of(request, shapes.DropDeadLetters)
    choice, counts = await _chosen(engine, wanted)
    done = None
    if counts and not wanted.dry_run:
        done = await put_on_record(engine, Drop(choice=letters.settled(choice, counts), reason=wanted.reason))
    return _told(wanted, counts, done)


def _engine(request: web.Request) -> Engine:
    """Raises `PermissionDenied` for all but administrators."""
    engine = request.app[ENGINE]
    require_administrator(engine.directory, authenticated(request).user_id)
    return engine


def _endpoint_id(request: web.Request) -> str:
    """A webhook's or a bot's. Raises `WebhookNotFound`."""
    endpoint_id, directory = request.match_info["webhook_id"], request.app[ENGINE].directory
    if endpoint_id not in directory.webhooks and endpoint_id not in directory.bots:
        raise WebhookNotFound("There is no webhook or bot with this id.")
    return endpoint_id


async def _chosen(engine: Engine, wanted: shapes.ChooseDeadLetters) -> tuple[LetterChoice, list[LetterCount]]:
    choice = LetterChoice(
        deliveries=tuple(wanted.deliveries or ()),
        webhook_id=wanted.webhook_id,
        failure_class=wanted.failure_class,
        since=_time_or_none("since", wanted.since),
        upto=_time_or_none("until", wanted.until),
        first=wanted.first,
        last=wanted.last,
    )
    require_sensible(choice)
    if choice == letters.EVERYTHING and not wanted.all:
        raise refused("all", "must be true to mean every dead letter there is")
    path = engine.settings.outbox_path
    await asyncio.to_thread(letters.require_dead, path, choice.deliveries)
    return choice, await asyncio.to_thread(letters.counted, path, choice)


def _time_or_none(field: str, text: str | None) -> int | None:
    return None if text is None else time_of(field, text)


def _told(wanted: shapes.ChooseDeadLetters, counts: Sequence[LetterCount], done: Requested | None) -> web.Response:
    told = shapes.ChosenDeadLetters(
        dry_run=wanted.dry_run,
        count=sum(each.count for each in counts),
        counts=_counts(counts),
        id=done.id if done is not None else None,
        position=done.position if done is not None else None,
        duplicate=done is not None and done.duplicate,
    )
    return answer(told, 200 if done is None else 202)


def _counts(counts: Sequence[LetterCount]) -> list[shapes.DeadLetterCount]:
    return [
        shapes.DeadLetterCount(
            webhook_id=each.endpoint_id,
            kind=each.kind,
            name=each.name,
            url=each.url,
            failure_class=each.failure_class,
            count=each.count,
            oldest=iso_from_ms(each.oldest),
            newest=iso_from_ms(each.newest),
        )
        for each in counts
    ]


def _past(each: Past) -> shapes.PastDelivery:
    return shapes.PastDelivery(
        id=each.id,
        event_type=each.event_type,
        position=each.position,
        sequence=each.sequence,
        room_id=each.room_id,
        cause=each.cause,
        state=_state(each.state),
        attempt_count=each.attempts,
        status=each.status,
        planned_at=iso_from_ms(each.planned_at),
        next_attempt_at=_next(each.state, each.next_attempt_at),
        finished_at=_time(each.finished_at),
        failure_class=each.failure_class,
        failure=each.failure,
    )


def _delivery(facts: DeliveryFacts) -> shapes.Delivery:
    return shapes.Delivery(
        id=facts.id,
        webhook_id=facts.endpoint_id,
        event_type=facts.event_type,
        position=facts.position,
        sequence=facts.sequence,
        previous_id=facts.previous,
        cause=facts.cause,
        state=_state(facts.state),
        planned_at=iso_from_ms(facts.planned_at),
        next_attempt_at=_next(facts.state, facts.next_attempt_at),
        finished_at=_time(facts.finished_at),
        failure_class=facts.failure_class,
        failure=facts.failure,
        attempts=[_attempt(each) for each in facts.attempts],
        explanation=story(facts),
    )


def _attempt(made: AttemptMade) -> shapes.Attempt:
    values = msgspec.structs.asdict(made)
    started_at, ended_at = values.pop("started_at"), values.pop("ended_at")
    return shapes.Attempt(**values, started_at=iso_from_ms(started_at), duration_ms=max(0, ended_at - started_at))


def _state(state: str) -> shapes.DeliveryState:
    return cast(shapes.DeliveryState, state)


def _next(state: str, at: int) -> str | None:
    return iso_from_ms(at) if state == "pending" else None


def _time(at: int | None) -> str | None:
    return None if at is None else iso_from_ms(at)


_DELIVERIES = "/api/v1/webhooks/{webhook_id}/deliveries"
_LETTERS = "/api/v1/dead-letters"
_TIME = {"type": "string", "format": "date-time"}
_ERRORS = ("PERMISSION_DENIED", "OUTBOX_UNREADABLE")

ROUTES = (
    Route(
        "GET",
        _DELIVERIES,
        list_deliveries,
        "What was sent to a webhook or a bot, the last first",
        {200: shapes.PastDeliveries},
        queries=(
            Query("state", {"type": "string", "enum": list(STATES)}, "Only those in this state"),
            Query("before", {"type": "integer", "minimum": 1}, "Only those with a smaller sequence"),
            Query("limit", {"type": "integer", "minimum": 1, "maximum": _MOST}, "How many at most; 50"),
        ),
        errors=(*_ERRORS, "WEBHOOK_NOT_FOUND"),
    ),
    Route(
        "GET",
        f"{_DELIVERIES}/{{delivery_id}}",
        read_delivery,
        "One delivery with its attempts, and its story in sentences",
        {200: shapes.Delivery},
        errors=(*_ERRORS, "WEBHOOK_NOT_FOUND", "DELIVERY_NOT_FOUND"),
    ),
    Route(
        "GET",
        _LETTERS,
        list_dead_letters,
        "Deliveries that were given up",
        {200: shapes.DeadLetters},
        queries=(
            Query("webhook_id", {"type": "string"}, "Only of this webhook or bot"),
            Query("failure_class", {"type": "string"}, "Only of this class of failure"),
            Query("since", _TIME, "Only what died then or later"),
            Query("until", _TIME, "Only what died then or earlier"),
            Query("limit", {"type": "integer", "minimum": 1, "maximum": _MOST}, "How many at most; 100"),
        ),
        errors=_ERRORS,
    ),
    Route(
        "POST",
        f"{_LETTERS}/replay",
        replay_dead_letters,
        "Send dead letters again, under their old ids; the same request twice sends nothing twice",
        {200: shapes.ChosenDeadLetters, 202: shapes.ChosenDeadLetters},
        body=shapes.ReplayDeadLetters,
        errors=(*_ERRORS, "DELIVERY_NOT_FOUND"),
    ),
    Route(
        "POST",
        f"{_LETTERS}/drop",
        drop_dead_letters,
        "Let dead letters go, for a reason that goes on record",
        {200: shapes.ChosenDeadLetters, 202: shapes.ChosenDeadLetters},
        body=shapes.DropDeadLetters,
        errors=(*_ERRORS, "DELIVERY_NOT_FOUND"),
    ),
)
