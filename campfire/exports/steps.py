"""Bringing a room or a person into a server that runs on: step by step, each small, each harmless when repeated."""

from collections.abc import Sequence

import msgspec

from campfire.domain.events import Event
from campfire.eventlog.codec import EventCodec
from campfire.eventlog.errors import UnknownTopic
from campfire.exports.form import Line, PersonLine, RoomLine
from campfire.exports.reading import unusable


class BeginRoom(msgspec.Struct, tag=True, frozen=True):
    """Make the room, and whoever of its people is not here."""

    room: RoomLine
    people: list[PersonLine]
    at: int


class RoomEvents(msgspec.Struct, tag=True, frozen=True):
    """What was said in the room `source`, into `target`; `copy` is how often it has been deleted here."""

    source: str
    target: str
    copy: int
    lines: list[Line]


class EndRoom(msgspec.Struct, tag=True, frozen=True):
    """Archive the room if it was."""

    target: str
    by: str


class BeginPerson(msgspec.Struct, tag=True, frozen=True):
    """See whether the person may come. `source` names the import; `emails` are all addresses that they ever had."""

    user_id: str
    source: str
    emails: list[str]


class PersonEvents(msgspec.Struct, tag=True, frozen=True):
    """The export's next lines, of which the first has number `first` (from 1), with the rooms that they need."""

    user_id: str
    source: str
    first: int
    lines: list[Line]
    rooms: list[RoomLine]


Step = BeginRoom | RoomEvents | EndRoom | BeginPerson | PersonEvents


class Done(msgspec.Struct, frozen=True):
    """What a step did: events added; of a room where it is; of a person how many lines were there before."""

    events: int = 0
    target: str = ""
    copy: int = 0
    lines: int = 0


def decoded(codec: EventCodec, lines: Sequence[Line]) -> list[tuple[Line, Event]]:
    """The events of some lines. Raises `CampfireError` `EXPORT_UNUSABLE`."""
    try:
        return [(line, codec.decode(f"{line.topic}:{line.schema}", bytes(line.data))) for line in lines]
    except (msgspec.MsgspecError, ValueError, KeyError, UnknownTopic) as error:
        raise unusable(f"An event cannot be read: {error}.") from error
