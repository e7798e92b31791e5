"""From events to deliveries: who wants what, decided without I/O."""

from collections.abc import Iterable, Sequence
from typing import Literal
from uuid import UUID, uuid5

import msgspec

from campfire.domain import events as happened
from campfire.domain.events import Event, RecordedEvent
from campfire.domain.public_view import audience_of
from campfire.eventlog.reader import LogReader

_NAMESPACE = UUID("0f3a1a52-6d3f-5c0e-9b63-0a5a0cf0c6de")

Cause = Literal["live", "history", "test", "call"]
"""Why a delivery was planned: it just happened, a cursor was moved back, a test was asked for, a bot was called."""

Saying = happened.MessagePosted | happened.MessageEdited | happened.MessagePreviewed
"""What holds words of a message, and says nothing more once that is deleted."""


class Endpoint(msgspec.Struct, frozen=True):
    """A webhook as the planner needs it."""

    id: str
    events: frozenset[str]
    rooms: frozenset[str] | None
    created_position: int

    def wants(self, event: Event) -> bool:
        """Whether the endpoint subscribed to this kind of event in this room."""
        if event.topic not in self.events:
            return False
        return self.rooms is None or room_of(event) in self.rooms


class Planned(msgspec.Struct, frozen=True):
    """A delivery to be made."""

    id: str
    endpoint_id: str
    position: int
    event_type: str
    message_id: str | None
    room_id: str | None
    cause: Cause


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
    cause: Cause = "live"
    if isinstance(event, happened.WebhookTested):
        wanting, cause = [each for each in endpoints if each.id == event.webhook_id], "test"
    elif getattr(event, "origin", "live") == "import" or is_scrubbed(event):
        return []
    else:
        # By position, not by when the planner learnt of it: a page that could not be written is planned again.
        wanting = [each for each in endpoints if recorded.position > each.created_position and each.wants(event)]
    if not wanting:
        return []
    message_id = event.message_id if isinstance(event, Saying) else None
    return [
        Planned(
            id=delivery_id(epoch, each.id, recorded.position),
            endpoint_id=each.id,
            position=recorded.position,
            event_type=event.topic,
            message_id=message_id,
            room_id=room_of(event),
            cause=cause,
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
                )
    return found
