"""Which events an export has, and in which form each of them leaves."""

from collections.abc import Iterator
from typing import Protocol
from uuid import UUID

import msgspec

from campfire.domain import events as happened
from campfire.domain.events import Event
from campfire.domain.scrubbing import tombstone_of
from campfire.eventlog.codec import EventCodec
from campfire.eventlog.reader import RawRow
from campfire.exports.form import Wanted
from campfire.exports.privacy import OF_A_ROOM, ON_OWN, OWNERS, SECRETS, as_imported, withheld
from campfire.exports.survey import Survey

_DECODED_TOPICS = frozenset(
    each.topic
    for each in (
        happened.MessagePosted,
        happened.MessagePreviewed,
        happened.UploadFinished,
        happened.AvatarSet,
        happened.LogoSet,
    )
)
_SECRET_TOPICS = frozenset(each.topic for each in SECRETS)


class Chosen(msgspec.Struct, frozen=True):
    """An event that leaves. `event` is None where nobody has to look into it: then `state` is as stored."""

    event: Event | None
    topic: str
    state: bytes


class Selection(Protocol):
    """Asked about every row in the order of the log."""

    def choose(self, row: RawRow) -> Chosen | None: ...


def selection(wanted: Wanted, survey: Survey) -> Selection:
    if wanted.kind == "account":
        return _Account(wanted, survey)
    return _Room(wanted, survey) if wanted.kind == "room" else _Person(wanted, survey)


class _Account:
    """Everything, at its place; what is deleted as its tombstone."""

    def __init__(self, wanted: Wanted, survey: Survey) -> None:
        self._wanted = wanted
        self._survey = survey
        self._codec = EventCodec()

    def choose(self, row: RawRow) -> Chosen | None:
        _, stream_id, version, topic, state, _, scrubbed, _ = row
        name = topic.rpartition(":")[0]
        hidden = name in _SECRET_TOPICS and not self._wanted.secrets
        gone = scrubbed is None and self._survey.must_go(stream_id)
        if not (hidden or gone or name in _DECODED_TOPICS):
            return Chosen(None, topic, state)
        event = self._codec.decode(topic, state)
        changed = tombstone_of(event) if gone else None
        if hidden:
            changed = withheld(event, str(UUID(bytes=stream_id)), version)
        if changed is None:
            return Chosen(event, topic, state)
        return _encoded(self._codec, changed)


class _Room:
    """What everybody in the room may know, from the beginning of its present life on."""

    def __init__(self, wanted: Wanted, survey: Survey) -> None:
        self._wanted = wanted
        self._survey = survey
        self._codec = EventCodec()
        self._begun = survey.begun[wanted.id]
        self._mark = wanted.id.encode()
        self._topics = {each.topic for each in OF_A_ROOM}

    def choose(self, row: RawRow) -> Chosen | None:
        position, stream_id, _, topic, state, *_ = row
        # Nearly every row belongs to another room; to look for its id is cheaper than to decode.
        if position < self._begun or self._mark not in state or topic.rpartition(":")[0] not in self._topics:
            return None
        event = self._codec.decode(topic, state)
        if getattr(event, "room_id", None) != self._wanted.id:
            return None
        if self._survey.must_go(stream_id):
            event = tombstone_of(event) or event
        elif not self._wanted.earlier_texts:
            event = self._without_earlier_text(event, stream_id, position)
        return _encoded(self._codec, as_imported(event))

    def _without_earlier_text(self, event: Event, stream_id: bytes, position: int) -> Event:
        if self._survey.last_edits.get(stream_id, position) <= position:
            return event
        if isinstance(event, happened.MessagePreviewed):  # of links that may be gone from the text
            return msgspec.structs.replace(event, previews=())
        if isinstance(event, (happened.MessagePosted, happened.MessageEdited)):
            return msgspec.structs.replace(event, body="", mentions=())
        return event


class _Person:
    """What is somebody's own; in rooms that are deleted nothing is, since it is being taken away."""

    def __init__(self, wanted: Wanted, survey: Survey) -> None:
        self._id = wanted.id
        self._survey = survey
        self._codec = EventCodec()
        self._mark = wanted.id.encode()
        self._own: set[bytes] = set()
        self._topics_on_own = {each.topic for each in ON_OWN}
        self.rooms: set[str] = set()

    def choose(self, row: RawRow) -> Chosen | None:
        _, stream_id, version, topic, state, *_ = row
        on_own = topic.rpartition(":")[0] in self._topics_on_own
        if not (stream_id in self._own if on_own else self._mark in state):
            return None
        event = self._codec.decode(topic, state)
        if not on_own and getattr(event, OWNERS.get(type(event), ""), None) != self._id:
            return None
        room_id = getattr(event, "room_id", None)
        if room_id is not None:
            if self._survey.directory.rooms[room_id].deleted:
                return None
            self.rooms.add(room_id)
        if isinstance(event, (happened.MessagePosted, happened.UploadFinished)):
            self._own.add(stream_id)
        if self._survey.must_go(stream_id):
            event = tombstone_of(event) or event
        event = withheld(event, str(UUID(bytes=stream_id)), version) or event
        return _encoded(self._codec, as_imported(event))

    def all_rooms(self) -> Iterator[str]:
        """The rooms that they have anything to do with, deleted ones apart."""
        theirs = {room_id for room_id, people in self._survey.founders.items() if self._id in people}
        return (each for each in sorted(theirs | self.rooms) if not self._survey.directory.rooms[each].deleted)


def rooms_of(selection: Selection) -> Iterator[str]:
    """The rooms that a person's export has to name; nothing for the others."""
    return selection.all_rooms() if isinstance(selection, _Person) else iter(())


def _encoded(codec: EventCodec, event: Event) -> Chosen:
    return Chosen(event, codec.topic_of(event), codec.encode(event))
