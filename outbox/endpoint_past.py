"""What the log tells of an endpoint's past: what it wanted when, what was done to it, what was asked for again.

Times in milliseconds.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from campfire.config import Settings
from campfire.domain import events as happened
from campfire.domain import ids
from campfire.domain.events import RecordedEvent
from campfire.domain.public_view import public_view
from campfire.domain.webhook_filters import matches
from campfire.eventlog.reader import LogReader
from outbox.attempts import AttemptMade
from outbox.letters import choice_of
from outbox.queries import rows_of

_MOST_REPLAYS = 100
"""The latest, of which it is looked whether they meant a delivery."""


class Subscription(msgspec.Struct, frozen=True):
    """What an endpoint wanted from `position` on, until it wanted something else.

    `conditions` of its filter, of which `unmet` did not hold for the event that is asked about.
    """

    at: int
    position: int
    events: Sequence[str]
    rooms: Sequence[str] | None
    conditions: int
    unmet: int = 0


class Happening(msgspec.Struct, frozen=True):
    """Something that happened to the endpoint, or to this delivery, meanwhile; `what` goes on after a time."""

    at: int
    what: str


def subscription(
    history: Sequence[RecordedEvent], before: int, about: happened.Event | None = None
) -> Subscription | None:
    """What the endpoint wanted when `before` was recorded, and whether `about` was among it."""
    view = public_view(about) if about is not None else None
    found = None
    for recorded in history:
        event = recorded.event
        if recorded.position < before and isinstance(event, happened.WebhookCreated | happened.WebhookChanged):
            unmet = [each for each in event.filter if view is not None and not matches([each], view)]
            found = Subscription(event.at, recorded.position, event.events, event.rooms, len(event.filter), len(unmet))
    return found


def happenings(history: Sequence[RecordedEvent], since: int) -> list[Happening]:
    """What was done to the endpoint, from `since` on."""
    found = []
    for recorded in history:
        what = _what(recorded.event)
        if what is not None and recorded.event.at >= since:
            found.append(Happening(recorded.event.at, what))
    return found


def _what(event: happened.Event) -> str | None:
    match event:
        case happened.WebhookPaused():
            return "the endpoint was paused"
        case happened.WebhookResumed():
            return f"the endpoint was resumed, to be sent {_CAUGHT_UP[event.catch_up]} of what waited"
        case happened.WebhookDisabled():
            return f"the endpoint was disabled: {event.detail}"
        case happened.WebhookDeleted():
            return "the webhook was deleted"
        case happened.WebhookChanged():
            return "the webhook was changed"
        case happened.WebhookCursorMoved():
            until = "this moment" if event.until is None else f"position {event.until}"
            return f"the endpoint's cursor was moved: what came after position {event.after} up to {until} is sent"
    return None


_CAUGHT_UP = {"everything": "everything", "latest": "the latest of each room", "skip": "nothing"}


def replays(
    settings: Settings, reader: LogReader, row: dict[str, Any], attempts: Sequence[AttemptMade]
) -> list[Happening]:
    """The replays that took this delivery up again, as far as the log tells."""
    rows = rows_of(
        settings.outbox_path,
        "SELECT id FROM replays WHERE at >= ? ORDER BY at DESC LIMIT ?",
        (row["planned_at"], _MOST_REPLAYS),
    )
    found = []
    for (request_id,) in rows:
        for recorded in reader.read_stream(ids.replay_stream(request_id)):
            if isinstance(recorded.event, happened.DeliveryReplayRequested) and _means(recorded.event, row, attempts):
                found.append(Happening(recorded.event.at, f"it was asked for again (replay {request_id})"))
    return found


def _means(event: happened.DeliveryReplayRequested, row: dict[str, Any], attempts: Sequence[AttemptMade]) -> bool:
    choice = choice_of(event)
    if choice.deliveries and row["id"] not in choice.deliveries:
        return False
    if choice.webhook_id not in (None, row["endpoint_id"]):
        return False
    if not (choice.first or 0) <= row["sequence"] <= (choice.last or 1 << 62):
        return False
    before = [each for each in attempts if each.ended_at <= event.at]
    if not before or before[-1].failure_class is None:
        return False
    if choice.failure_class not in (None, before[-1].failure_class):
        return False
    return (choice.since or 0) <= before[-1].ended_at <= (choice.upto or 1 << 62)
