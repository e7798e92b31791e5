"""What is known of one delivery, put together read-only from the outbox and the log; `explain.py` tells it.

All times and spans are in milliseconds.
"""

from typing import Any

import msgspec

from campfire.config import Settings
from campfire.domain import events as happened
from campfire.domain.events import RecordedEvent
from campfire.domain.webhooks import EVENT_TYPES
from campfire.errors import CampfireError
from campfire.eventlog.reader import LogReader
from outbox import endpoint_past
from outbox.attempts import AttemptMade, attempts_of
from outbox.endpoint_past import Happening, Subscription
from outbox.lines import due_before, first_in_line
from outbox.queries import rows_of
from outbox.status import EndpointStatus, outbox_status


class Event(msgspec.Struct, frozen=True):
    """What is told of. `room` is its name if it has one; `untold`: why nobody outside is told of it, if so."""

    position: int
    type: str
    at: int
    room_id: str | None
    room: str | None
    untold: str | None = None


class DeliveryFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All about one delivery. `previous` is the one before it in its endpoint's stream, `behind` what it waits for
    in its line, `ahead` how many of its endpoint are due before it.
    """

    id: str
    now: int
    endpoint_id: str
    kind: str
    name: str | None
    url: str
    event_type: str
    position: int
    event: Event | None
    cause: str
    planned_at: int
    sequence: int
    previous: str | None
    state: str
    next_attempt_at: int
    finished_at: int | None
    parked_at: int | None
    failure_class: str | None
    failure: str | None
    attempts: list[AttemptMade]
    subscription: Subscription | None
    meanwhile: list[Happening]
    behind: str | None
    ahead: int
    rate: float | None
    endpoint: EndpointStatus | None
    worker_alive: bool


class MissingFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What bears on why an endpoint was not sent an event. `reached`: up to where it has been planned.

    `subscription` is what it wanted then, `wants` what it wants today.
    """

    endpoint_id: str
    kind: str
    url: str
    state: str
    created_at: int | None
    created_position: int
    position: int
    tip: int
    reached: int
    event: Event | None
    subscription: Subscription | None
    deleted_at: int | None
    meanwhile: list[Happening]
    wants: Subscription | None = None


def delivery_facts(settings: Settings, delivery_id: str, now: int) -> DeliveryFacts:
    """Raises `DELIVERY_NOT_FOUND`."""
    rows = rows_of(settings.outbox_path, _DELIVERY, (delivery_id,))
    if not rows:
        raise CampfireError("DELIVERY_NOT_FOUND", f"There is no delivery {delivery_id}.")
    row: dict[str, Any] = dict(zip(_DELIVERY_COLUMNS, rows[0], strict=True))
    room_id, ordering = row.pop("room_id"), row.pop("ordering")
    attempts = attempts_of(settings.outbox_path, delivery_id)
    status = outbox_status(
        settings.outbox_path, now, breaker_ms=round(settings.webhook_breaker_seconds * 1000), totals=False
    )
    reader = LogReader(settings.events_path)
    try:
        recorded = _event_at(reader, row["position"])
        history = reader.read_stream(row["endpoint_id"])
        meanwhile = endpoint_past.replays(settings, reader, row, attempts)
        event = _told_event(reader, recorded) if recorded is not None else None
    finally:
        reader.close()
    meanwhile += endpoint_past.happenings(history, since=row["planned_at"])
    before = row["position"] if row["cause"] == "live" else 1 << 62
    return DeliveryFacts(
        **row,
        now=now,
        event=event,
        attempts=attempts,
        subscription=endpoint_past.subscription(history, before),
        meanwhile=sorted(meanwhile, key=lambda each: each.at),
        behind=first_in_line(
            settings.outbox_path, row["endpoint_id"], row["sequence"], room_id, of_all=ordering == "endpoint"
        )
        if row["state"] == "queued"
        else None,
        ahead=due_before(settings.outbox_path, row["endpoint_id"], row["next_attempt_at"], row["position"])
        if row["state"] == "pending"
        else 0,
        endpoint=next((each for each in status.endpoints if each.id == row["endpoint_id"]), None) if status else None,
        worker_alive=status is not None and status.worker_alive,
    )


def delivery_at(settings: Settings, endpoint_id: str, position: int) -> str | None:
    """The delivery that tells an endpoint of the event at a position, if one was planned."""
    rows = rows_of(
        settings.outbox_path,
        "SELECT id FROM deliveries WHERE endpoint_id = ? AND position = ?",
        (endpoint_id, position),
    )
    return rows[0][0] if rows else None


def missing_facts(settings: Settings, endpoint_id: str, position: int) -> MissingFacts:
    """What bears on an endpoint that was not sent an event. Raises `WEBHOOK_NOT_FOUND`."""
    rows = rows_of(settings.outbox_path, _MISSING, (endpoint_id,))
    if not rows:
        raise CampfireError("WEBHOOK_NOT_FOUND", f"The outbox knows no webhook or bot {endpoint_id}.")
    kind, url, state, created_position, reached = rows[0]
    reader = LogReader(settings.events_path)
    try:
        recorded = _event_at(reader, position)
        event = _told_event(reader, recorded) if recorded is not None else None
        history = reader.read_stream(endpoint_id)
        tip = reader.tip().position
    finally:
        reader.close()
    about = recorded.event if recorded is not None else None
    deleted = [each.event.at for each in history if isinstance(each.event, happened.WebhookDeleted)]
    return MissingFacts(
        endpoint_id=endpoint_id,
        kind=kind,
        url=url,
        state=state,
        created_at=history[0].event.at if history else None,
        created_position=created_position,
        position=position,
        tip=tip,
        reached=reached,
        event=event,
        subscription=endpoint_past.subscription(history, position, about),
        wants=endpoint_past.subscription(history, 1 << 62, about),
        deleted_at=deleted[0] if deleted else None,
        meanwhile=endpoint_past.happenings(history, since=0),
    )


def position_of_message(settings: Settings, message_id: str) -> int:
    """Where a message was posted. Raises `MESSAGE_NOT_FOUND`."""
    reader = LogReader(settings.events_path)
    try:
        history = reader.read_stream(message_id)
    except ValueError:
        history = []
    finally:
        reader.close()
    if not history or not isinstance(history[0].event, happened.MessagePosted):
        raise CampfireError("MESSAGE_NOT_FOUND", f"The log has no message {message_id}.")
    return history[0].position


_DELIVERY_COLUMNS = (
    "id",
    "endpoint_id",
    "kind",
    "name",
    "url",
    "event_type",
    "position",
    "room_id",
    "cause",
    "planned_at",
    "sequence",
    "previous",
    "state",
    "next_attempt_at",
    "finished_at",
    "parked_at",
    "failure_class",
    "failure",
    "ordering",
    "rate",
)
_DELIVERY = """
SELECT deliveries.id, deliveries.endpoint_id, kind, name, url, event_type, position, room_id, cause, planned_at,
    deliveries.sequence,
    (SELECT earlier.id FROM deliveries AS earlier
        WHERE earlier.endpoint_id = deliveries.endpoint_id AND earlier.sequence = deliveries.sequence - 1),
    deliveries.state, next_attempt_at, finished_at, parked_at, failure_class, failure, ordering, rate
FROM deliveries JOIN endpoints ON endpoints.id = deliveries.endpoint_id WHERE deliveries.id = ?
"""
_MISSING = """
SELECT kind, url, state, created_position, COALESCE(cursor, (SELECT position FROM cursor), 0)
FROM endpoints WHERE id = ?
"""


def _event_at(reader: LogReader, position: int) -> RecordedEvent | None:
    """None for a position that the log has not come to."""
    return reader.event_at(position) if position <= reader.tip().position else None


def _told_event(reader: LogReader, recorded: RecordedEvent) -> Event:
    event = recorded.event
    room_id = getattr(event, "room_id", None)
    untold = None
    if getattr(event, "origin", "live") == "import" or recorded.position <= reader.imported_upto():
        untold = "it was brought in from elsewhere, and what happened there was told there"
    elif getattr(event, "scrubbed", False):
        untold = "its message was deleted, and what it said is gone"
    elif event.topic not in EVENT_TYPES and not isinstance(event, happened.WebhookTested | happened.BotCalled):
        untold = f"nobody can subscribe to {event.topic}"
    return Event(recorded.position, event.topic, event.at, room_id, _room_name(reader, room_id), untold)


def _room_name(reader: LogReader, room_id: str | None) -> str | None:
    name = None
    for recorded in reader.read_stream(room_id) if room_id is not None else ():
        if isinstance(recorded.event, happened.RoomCreated | happened.RoomRenamed):
            name = recorded.event.name
    return name
