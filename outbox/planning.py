"""From events to deliveries: who wants what, decided without I/O."""

from collections.abc import Container, Iterable, Sequence
from typing import Literal
from uuid import UUID, uuid5

import msgspec

from campfire.domain import events as happened
from campfire.domain.events import Condition, Event, RecordedEvent
from campfire.domain.ids import ADMINISTRATORS_ROOM
from campfire.domain.public_view import audience_of, public_view
from campfire.domain.webhook_filters import matches
from campfire.eventlog.reader import LogReader

_NAMESPACE = UUID("0f3a1a52-6d3f-5c0e-9b63-0a5a0cf0c6de")

Cause = Literal["live", "history", "test", "call"]
"""Why a delivery was planned: it just happened, a cursor was moved back, a test was asked for, a bot was called."""

Saying = happened.MessagePosted | happened.MessageEdited | happened.MessagePreviewed
"""What holds words of a message, and says nothing more once that is deleted."""


class Endpoint(msgspec.Struct, frozen=True):
    """A webhook as the planner needs it. All of `filter` must hold for an event's public data."""

    id: str
    events: frozenset[str]
    rooms: frozenset[str] | None
    created_position: int
    filter: tuple[Condition, ...] = ()

    def may_have(self, event_type: str, room_id: str | None) -> bool:
        """Whether the endpoint subscribed to this kind of event in this room.

        Every room is every one but the administrators': what the server says there is for nobody by accident.
        """
        return event_type in self.events and is_among(room_id, self.rooms)


class Planned(msgspec.Struct, frozen=True):
    """A delivery to be made."""

    id: str
    endpoint_id: str
    position: int
    event_type: str
    message_id: str | None
    room_id: str | None
    cause: Cause
    hops: int = 0
    """Of the event (`campfire.domain.hops`)."""


def is_among(room_id: str | None, rooms: Container[str | None] | None) -> bool:
    """Whether an endpoint that chose `rooms` may be told of a room; None is every room but the administrators'."""
    return room_id != ADMINISTRATORS_ROOM if rooms is None else room_id in rooms


def room_of(event: Event) -> str | None:
    """The room that an event happened in, None if it is no room's."""
    audience = audience_of(event)
    return audience.id if audience.kind == "room" else None


def delivery_id(epoch: str, endpoint_id: str, position: int) -> str:
    """The webhook-id: the same whenever the same event is planned for the same endpoint, in one history."""
    return "msg_" + uuid5(_NAMESPACE, f"{epoch}/{endpoint_id}/{position}").hex


def is_scrubbed(event: Event) -> bool:
    """Whether its words are out of the log for good."""
    return bool(getattr(event, "scrubbed", False))


def plan(recorded: RecordedEvent, endpoints: Iterable[Endpoint], epoch: str) -> list[Planned]:
    """The deliveries that an event asks for. Imported history asks for none, nor does what was scrubbed."""
    event = recorded.event
    if isinstance(event, happened.WebhookTested):
        return _planned(recorded, [each for each in endpoints if each.id == event.webhook_id], epoch, "test")
    if getattr(event, "origin", "live") == "import" or is_scrubbed(event):
        return []
    # By position, not by when the planner learnt of it: a page that could not be written is planned again.
    older = (each for each in endpoints if recorded.position > each.created_position)
    return _planned(recorded, _wanting(event, older), epoch, "live")


def plan_history(recorded: RecordedEvent, endpoint: Endpoint, epoch: str) -> list[Planned]:
    """The delivery that a moved cursor asks for, if any: also of what was imported, or is older than the endpoint.

    Somebody asked for that by hand; a test that was asked for in the past is over.
    """
    if isinstance(recorded.event, happened.WebhookTested):
        return []
    return _planned(recorded, _wanting(recorded.event, [endpoint]), epoch, "history")


def _wanting(event: Event, endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    room_id = room_of(event)
    wanting = [each for each in endpoints if each.may_have(event.topic, room_id)]
    if not any(each.filter for each in wanting) or is_scrubbed(event):
        return wanting  # of what was scrubbed, nothing is left that a condition could look at
    view = public_view(event)
    return [each for each in wanting if matches(each.filter, view)]


def _planned(recorded: RecordedEvent, wanting: Iterable[Endpoint], epoch: str, cause: Cause) -> list[Planned]:
    event = recorded.event
    return [
        Planned(
            id=delivery_id(epoch, each.id, recorded.position),
            endpoint_id=each.id,
            position=recorded.position,
            event_type=event.topic,
            message_id=event.message_id if isinstance(event, Saying) else None,
            room_id=room_of(event),
            cause=cause,
            hops=getattr(event, "hops", 0),
        )
        for each in wanting
    ]


def calls_planned(events: Sequence[RecordedEvent], reader: LogReader, epoch: str) -> dict[int, Planned]:
    """The calls of bots among `events`, by position. What was scrubbed calls nobody.

    A message is recorded just before the calls that it makes, so it is seldom looked for in the log.
    """
    posted: dict[str, RecordedEvent] = {}
    found: dict[int, Planned] = {}
    for recorded in events:
        event = recorded.event
        if isinstance(event, happened.MessagePosted):
            posted[event.message_id] = recorded
        elif isinstance(event, happened.BotCalled):
            message = posted.get(event.message_id) or reader.read_stream(event.message_id)[0]
            assert isinstance(message.event, happened.MessagePosted)
            if not message.event.scrubbed:
                found[recorded.position] = Planned(
                    id=delivery_id(epoch, event.bot_id, recorded.position),
                    endpoint_id=event.bot_id,
                    position=recorded.position,
                    event_type=event.topic,
                    message_id=event.message_id,
                    room_id=event.room_id,
                    cause="call",
                    hops=event.hops,
                )
    return found
