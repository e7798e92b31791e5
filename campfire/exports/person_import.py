"""Bringing a person back who is not here: themselves, and what they wrote.

Each step is recorded together with how far it has come, so a killed import goes on exactly there, and one that
is done adds nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from campfire.domain import events as happened
from campfire.domain import ids
from campfire.domain.events import Event, ImportProgressed, NewEvent
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.eventlog.codec import EventCodec
from campfire.eventlog.errors import VersionConflict
from campfire.exports.form import Line, RoomLine
from campfire.exports.privacy import ON_OWN, OWNERS
from campfire.exports.reading import unusable
from campfire.exports.room_import import with_own_ids
from campfire.exports.steps import BeginPerson, Done, PersonEvents, decoded

_BEGINS: tuple[type[Event], ...] = (
    happened.MessagePosted,
    happened.UploadFinished,
    happened.BoostAdded,
    happened.SessionStarted,
    happened.SignInLinkMade,
)
"""What must be the first of its stream: nothing that is here already may be written to."""
_GOES_ON: tuple[type[Event], ...] = (*ON_OWN, happened.BoostRemoved, happened.SessionEnded, happened.SignInLinkUsed)
"""What goes on with a stream that the person must have begun."""


def begin(engine: Engine, step: BeginPerson) -> Done:
    """How many lines are here already. Raises `CampfireError` `VALIDATION_FAILED`, `EMAIL_TAKEN`."""
    known = engine.directory.imports.get(step.source)
    if known is not None:
        return Done(lines=known.lines)
    if step.user_id in engine.directory.users:
        raise CampfireError("VALIDATION_FAILED", "This person is here already; only who is not can be brought.")
    for email in step.emails:
        if engine.directory.user_by_email(email) is not None:
            raise CampfireError("EMAIL_TAKEN", f"Somebody here has the address {email}.")
    return Done()


async def take_events(engine: Engine, step: PersonEvents) -> Done:
    """Add the next lines. Raises `CampfireError`: `EXPORT_UNUSABLE`, `SERVER_BUSY` if somebody else adds them too,
    and what `Engine.append` raises.
    """
    known = engine.directory.imports.get(step.source)
    if (known.lines if known is not None else 0) != step.first - 1:
        raise CampfireError(
            "SERVER_BUSY", "Another run is importing this person; wait for it to end, and try again.", retry_after=30
        )
    new = _Brought(engine, step).events()
    await asyncio.to_thread(_require_own, engine, step.user_id, new)
    lines = step.first - 1 + len(step.lines)
    progressed = ImportProgressed(at=engine.clock.now_ms(), source=step.source, lines=lines, digest=_digest(step.lines))
    version = known.version + 1 if known is not None else 1
    try:
        await engine.append([NewEvent(ids.import_stream(step.source), version, progressed), *new])
    except VersionConflict as error:
        raise unusable(f"It would change what is here already: {error}.") from error
    return Done(events=len(new), lines=lines)


class _Brought:
    """Turns exported lines into events that belong here."""

    def __init__(self, engine: Engine, step: PersonEvents) -> None:
        self._rooms = engine.directory.rooms
        self._position = engine.position
        self._step = step
        self._user_id = step.user_id
        self._along = {room.id for room in step.rooms}

    def events(self) -> list[NewEvent]:
        new: list[NewEvent] = []
        for line, event in decoded(EventCodec(), self._step.lines):
            self._require_theirs(line, event)
            if self._may_come(event):
                version = 1 if isinstance(event, _BEGINS) else None
                new.append(NewEvent(_stream_of(event), version, self._here(event, line)))
            if isinstance(event, happened.UserCreated):
                new += [self._room(room) for room in self._step.rooms if room.id not in self._rooms]
        return new

    def _require_theirs(self, line: Line, event: Event) -> None:
        owner = OWNERS.get(type(event))
        if type(event) not in ON_OWN and (owner is None or getattr(event, owner) != self._user_id):
            raise unusable(f"Position {line.position} is no event of this person.")
        room_id = getattr(event, "room_id", None)
        if room_id is not None and room_id not in self._rooms and room_id not in self._along:
            raise unusable(f"Position {line.position} is in a room of which nothing is said.")

    def _may_come(self, event: Event) -> bool:
        if isinstance(event, (happened.PresenceEntered, happened.PresenceLeft)):
            return False  # they are not here
        if isinstance(event, happened.RoleChanged) and event.role == "administrator":
            return False  # who may administer is for those to say who do so here
        room = self._rooms.get(getattr(event, "room_id", ""))
        if room is None:
            return True
        if isinstance(event, happened.MemberAdded) and room.kind != "open" and room.created_by != self._user_id:
            return False  # a closed room that was here before is entered by invitation only
        return not room.deleted

    def _here(self, event: Event, line: Line) -> Event:
        if isinstance(event, happened.MessagePreviewed):
            return with_own_ids(event, line.version)
        if isinstance(event, (happened.ReadPositionMoved, happened.ThreadRead)):
            # A position of another log means nothing here.
            return msgspec.structs.replace(event, position=self._position)
        if isinstance(event, happened.UserCreated) and event.role == "administrator":
            return msgspec.structs.replace(event, role="member")
        return event

    def _room(self, room: RoomLine) -> NewEvent:
        created = happened.RoomCreated(
            at=room.created_at,
            room_id=room.id,
            name=room.name,
            kind="closed",
            created_by=self._user_id,
            members=(self._user_id,) if room.founding else (),
            origin="import",
        )
        return NewEvent(room.id, 1, created)


def _require_own(engine: Engine, user_id: str, new: list[NewEvent]) -> None:
    """Refuse what would change something that is not theirs. Raises `CampfireError` `EXPORT_UNUSABLE`."""
    begun = {each.stream_id for each in new if isinstance(each.event, _BEGINS)}
    for each in new:
        if not isinstance(each.event, _GOES_ON):
            continue
        streams = {each.stream_id}
        if isinstance(each.event, happened.UploadAttached):
            streams.add(each.event.message_id)
        for stream_id in streams - begun:
            history = engine.reader.read_stream(stream_id)
            first = history[0].event if history else None
            if first is None or getattr(first, OWNERS.get(type(first), ""), None) != user_id:
                raise unusable(f"{stream_id} was not begun by this person.")


_STREAMS: dict[type[Event], Callable[[Any], str]] = {
    happened.EmailClaimed: lambda event: ids.email_stream(event.email),
    happened.EmailReleased: lambda event: ids.email_stream(event.email),
    happened.MemberAdded: lambda event: ids.membership_stream(event.room_id, event.user_id),
    happened.MemberRemoved: lambda event: ids.membership_stream(event.room_id, event.user_id),
    happened.InvolvementSet: lambda event: ids.involvement_stream(event.room_id, event.user_id),
    happened.ReadPositionMoved: lambda event: ids.read_position_stream(event.room_id, event.user_id),
    happened.ThreadRead: lambda event: ids.thread_read_stream(event.thread_id, event.user_id),
    happened.MessagePosted: lambda event: str(event.message_id),
    happened.MessageEdited: lambda event: str(event.message_id),
    happened.MessageDeleted: lambda event: str(event.message_id),
    happened.MessagePreviewed: lambda event: str(event.message_id),
    happened.MessagePreviewsRemoved: lambda event: str(event.message_id),
    happened.MessagePinned: lambda event: ids.pin_stream(event.message_id),
    happened.MessageUnpinned: lambda event: ids.pin_stream(event.message_id),
    happened.MessageSaved: lambda event: ids.saved_stream(event.message_id, event.user_id),
    happened.MessageUnsaved: lambda event: ids.saved_stream(event.message_id, event.user_id),
    happened.BoostAdded: lambda event: str(event.boost_id),
    happened.BoostRemoved: lambda event: str(event.boost_id),
    happened.SearchRemembered: lambda event: ids.searches_stream(event.user_id),
    happened.SearchesForgotten: lambda event: ids.searches_stream(event.user_id),
    happened.UploadFinished: lambda event: str(event.attachment.id),
    happened.UploadAttached: lambda event: str(event.attachment_id),
    happened.UploadDiscarded: lambda event: str(event.attachment_id),
    happened.SessionStarted: lambda event: str(event.session_id),
    happened.SessionEnded: lambda event: str(event.session_id),
    happened.SignInLinkMade: lambda event: str(event.link_id),
    happened.SignInLinkUsed: lambda event: str(event.link_id),
}
"""Where events belong that do not belong to the person's own stream. Not what a line says: it may claim anything."""


def _stream_of(event: Any) -> str:
    maker = _STREAMS.get(type(event))
    return str(event.user_id) if maker is None else maker(event)


def _digest(lines: Sequence[Line]) -> str:
    return sha256(b"".join(bytes(line.data) for line in lines)).hexdigest()
