"""Bringing a room back: under its own id, or, where it was deleted, anew under ids derived from the old ones.

A step finds by the versions of the streams what is there already, so it may be repeated, by whomever and whenever.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from campfire.domain import events as happened
from campfire.domain import ids
from campfire.domain.events import Event, NewEvent
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.eventlog.codec import EventCodec
from campfire.eventlog.errors import VersionConflict
from campfire.exports.form import Line, PersonLine
from campfire.exports.privacy import as_imported
from campfire.exports.reading import unusable
from campfire.exports.steps import BeginRoom, Done, EndRoom, RoomEvents, decoded

_AT_ONCE = 400
"""Events in one append; below what the log's queue takes at once."""


async def begin(engine: Engine, step: BeginRoom) -> Done:
    """Make the room and its people, unless they are here. People who are not become people who cannot sign in."""
    room = step.room
    if room.kind == "direct" and room.id != ids.direct_room_id(room.members):
        raise unusable("Its direct room is not the one of these people.")
    known = {person.id for person in step.people} | engine.directory.users.keys()
    if not {room.created_by, *room.members} <= known:
        raise unusable("It names people of whom it says nothing.")
    people = [event for person in step.people for event in _person(engine, person, step.at)]
    target, copy, version = await asyncio.to_thread(_place, engine, step)
    if version is None:
        return Done(events=await _append(engine, people), target=target, copy=copy)
    created = happened.RoomCreated(
        at=room.created_at,
        room_id=target,
        name=room.name,
        kind=room.kind,
        created_by=room.created_by,
        members=tuple(room.members),
        origin="import",
    )
    added = await _append(engine, [*people, NewEvent(target, version, created)])
    return Done(events=added, target=target, copy=copy)


async def take_events(engine: Engine, step: RoomEvents) -> Done:
    """Add what is not here yet of some lines. Raises `CampfireError` `EXPORT_UNUSABLE`."""
    renamed = _Renamed(step)
    wanted = [new for line, event in decoded(EventCodec(), step.lines) for new in renamed.events(line, event)]
    missing = await asyncio.to_thread(_missing, engine, wanted, step.target)
    added = 0
    for start in range(0, len(missing), _AT_ONCE):
        added += await _append(engine, missing[start : start + _AT_ONCE])
    return Done(events=added)


async def end(engine: Engine, step: EndRoom) -> Done:
    """Archive the room. Only for one that has just been brought: it may have been reopened since."""
    room = engine.directory.room(step.target)
    if room.archived:
        return Done()
    archived = happened.RoomArchived(at=engine.clock.now_ms(), room_id=room.id, by=step.by)
    return Done(events=await _append(engine, [NewEvent(room.id, room.version + 1, archived)]))


def _person(engine: Engine, person: PersonLine, at: int) -> list[NewEvent]:
    if person.id in engine.directory.users:
        return []
    events: list[Event] = [
        happened.UserCreated(
            at=at, user_id=person.id, name=person.name, role="member", can_sign_in=False, origin="import"
        )
    ]
    if person.bio:
        events.append(happened.ProfileChanged(at=at, user_id=person.id, by=person.id, name=person.name, bio=person.bio))
    if person.avatar is not None:
        events.append(happened.AvatarSet(at=at, user_id=person.id, by=person.id, digest=person.avatar))
    return [NewEvent(person.id, version, event) for version, event in enumerate(events, 1)]


def _place(engine: Engine, step: BeginRoom) -> tuple[str, int, int | None]:
    """Where the room is or goes, how often it has been deleted, and the version of its creation, None if it is here."""
    rooms, wanted = engine.directory.rooms, step.room
    if wanted.kind != "direct":
        copy = 0
        while (known := rooms.get(_derived(wanted.id, copy))) is not None and known.deleted:
            copy += 1
        return _derived(wanted.id, copy), copy, 1 if known is None else None
    history = engine.reader.read_stream(wanted.id)
    copy = sum(isinstance(each.event, happened.RoomDeleted) for each in history)
    known = rooms.get(wanted.id)
    if known is not None and known.deleted and not known.emptied:
        raise CampfireError("SERVER_BUSY", "The room is still being taken away; try again in a minute.", retry_after=60)
    here = known is not None and not known.deleted
    return wanted.id, copy, None if here else len(history) + 1


def _derived(one: str, copy: int) -> str:
    return ids.imported_copy_id(one, copy) if copy else one


class _Renamed:
    """Turns exported events into those that belong here."""

    def __init__(self, step: RoomEvents) -> None:
        self._step = step
        self._makers: dict[type[Event], Callable[[Line, Any], list[NewEvent]]] = {
            happened.MessagePosted: self._posted,
            happened.MessageEdited: self._of_message,
            happened.MessageDeleted: self._of_message,
            happened.MessagePreviewed: self._previewed,
            happened.MessagePreviewsRemoved: self._of_message,
            happened.MessagePinned: self._pin,
            happened.MessageUnpinned: self._pin,
            happened.BoostAdded: self._boost,
            happened.BoostRemoved: self._boost,
        }

    def events(self, line: Line, event: Event) -> list[NewEvent]:
        """Nothing for what the room's creation has said already."""
        if getattr(event, "room_id", None) != self._step.source:
            raise unusable(f"Position {line.position} belongs to no event of this room.")
        maker = self._makers.get(type(event))
        return [] if maker is None else maker(line, as_imported(event))

    def _id(self, one: str) -> str:
        return _derived(one, self._step.copy)

    def _moved(self, event: Any, **changes: Any) -> Any:
        return msgspec.structs.replace(
            event, message_id=self._id(event.message_id), room_id=self._step.target, **changes
        )

    def _posted(self, line: Line, event: happened.MessagePosted) -> list[NewEvent]:
        files = tuple(msgspec.structs.replace(file, id=self._id(file.id)) for file in event.attachments)
        posted = self._moved(
            event,
            attachments=files,
            reply_to=None if event.reply_to is None else self._id(event.reply_to),
            thread_id=None if event.thread_id is None else self._id(event.thread_id),
        )
        events = [NewEvent(posted.message_id, 1, posted)]
        for file in files:
            finished = happened.UploadFinished(at=event.at, user_id=event.author_id, attachment=file)
            used = happened.UploadAttached(
                at=event.at, attachment_id=file.id, message_id=posted.message_id, room_id=posted.room_id
            )
            events += [NewEvent(file.id, 1, finished), NewEvent(file.id, 2, used)]
        return events

    def _previewed(self, line: Line, event: happened.MessagePreviewed) -> list[NewEvent]:
        moved = self._moved(event)
        return [NewEvent(moved.message_id, line.version, with_own_ids(moved, line.version))]

    def _of_message(
        self,
        line: Line,
        event: happened.MessageEdited | happened.MessageDeleted | happened.MessagePreviewsRemoved,
    ) -> list[NewEvent]:
        moved = self._moved(event)
        return [NewEvent(moved.message_id, line.version, moved)]

    def _pin(self, line: Line, event: happened.MessagePinned | happened.MessageUnpinned) -> list[NewEvent]:
        moved = self._moved(event)
        return [NewEvent(ids.pin_stream(moved.message_id), line.version, moved)]

    def _boost(self, line: Line, event: happened.BoostAdded | happened.BoostRemoved) -> list[NewEvent]:
        moved = self._moved(event, boost_id=self._id(event.boost_id))
        return [NewEvent(moved.boost_id, line.version, moved)]


def with_own_ids(event: happened.MessagePreviewed, version: int) -> happened.MessagePreviewed:
    """The previews under ids of their message: those of an export may be somebody else's here."""
    previews = tuple(
        msgspec.structs.replace(each, id=ids.imported_copy_id(f"{event.message_id}:{version}", place))
        for place, each in enumerate(event.previews)
    )
    return msgspec.structs.replace(event, previews=previews)


def _missing(engine: Engine, wanted: list[NewEvent], target: str) -> list[NewEvent]:
    """Those that are not here. Raises `CampfireError` for a stream that is here and belongs elsewhere."""
    versions = engine.reader.versions({new.stream_id for new in wanted})
    for stream_id in versions:
        history = engine.reader.read_stream(stream_id)
        if not any(getattr(each.event, "room_id", None) == target for each in history):
            raise unusable(f"{stream_id} is something else here.")
    return [new for new in wanted if (new.version or 0) > versions.get(new.stream_id, 0)]


async def _append(engine: Engine, events: list[NewEvent]) -> int:
    if not events:
        return 0
    try:
        return len(await engine.append(events))
    except VersionConflict as error:
        raise unusable(f"It contradicts itself, or somebody else is importing it: {error}.") from error
