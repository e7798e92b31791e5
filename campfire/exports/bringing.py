"""Bringing a proved export of a room or a person in: its files first, then its events, chunk by chunk."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol

import msgspec

from campfire.domain import events as happened
from campfire.domain.events import Event
from campfire.exports.form import EVENTS, Line
from campfire.exports.progress import Progress
from campfire.exports.reading import Archive, unusable
from campfire.exports.steps import BeginPerson, BeginRoom, Done, EndRoom, PersonEvents, RoomEvents, Step
from campfire.iso_times import ms_from_iso

_AT_ONCE = 300
"""Lines in a step. One message with its files is at most twenty-one events."""


class Target(Protocol):
    """Where an export goes: a server that runs, or an engine of one's own."""

    async def keep(self, digest: str, file: Path) -> None:
        """Store a file. Raises `CampfireError` `EXPORT_UNUSABLE` if it changed meanwhile."""

    async def take(self, step: Step) -> Done: ...


class Brought(msgspec.Struct):
    """What an import did. `events` were added to the log; `already_there` says that none had to be."""

    id: str
    name: str
    events: int
    already_there: bool


async def bring_room(archive: Archive, target: Target, progress: Progress) -> Brought:
    """Raises `CampfireError`: `EXPORT_UNUSABLE`, and what the log raises; run again, it goes on."""
    manifest = archive.manifest
    rooms = archive.rooms()
    if len(rooms) != 1 or rooms[0].id != manifest.id:
        raise unusable("rooms.ndjson does not say which room it is.")
    room = rooms[0]
    _require_events_of(archive, room.id)
    _require_files(archive)
    await _keep_blobs(archive, target)
    begun = await target.take(BeginRoom(room=room, people=archive.people(), at=ms_from_iso(manifest.exported_at)))
    added, total = begun.events, manifest.files[EVENTS].lines
    for first, lines in _chunks(archive):
        step = RoomEvents(source=room.id, target=begun.target, copy=begun.copy, lines=lines)
        added += (await target.take(step)).events
        progress(first - 1 + len(lines), total)
    if room.archived and added:
        added += (await target.take(EndRoom(target=begun.target, by=room.created_by))).events
    return Brought(begun.target, room.name, added, already_there=not added)


async def bring_person(archive: Archive, target: Target, progress: Progress) -> Brought:
    """Raises as `bring_room`; `VALIDATION_FAILED` if the person is here, `EMAIL_TAKEN` if their address is taken."""
    manifest = archive.manifest
    first_event = next((event for _, event in archive.events()), None)
    if not isinstance(first_event, happened.UserCreated) or first_event.user_id != manifest.id:
        raise unusable("It does not begin with the person whom it is about.")
    _require_files(archive)
    source = f"person:{manifest.files[EVENTS].sha256}"
    emails = {event.email for _, event in archive.events() if isinstance(event, happened.EmailClaimed)}
    begun = await target.take(BeginPerson(user_id=manifest.id, source=source, emails=sorted(emails)))
    await _keep_blobs(archive, target)
    rooms, added, total = archive.rooms(), 0, manifest.files[EVENTS].lines
    for first, lines in _chunks(archive, after=begun.lines):
        step = PersonEvents(user_id=manifest.id, source=source, first=first, lines=lines, rooms=rooms)
        added += (await target.take(step)).events
        progress(first - 1 + len(lines), total)
    return Brought(manifest.id, manifest.name, added, already_there=not added)


def _require_files(archive: Archive) -> None:
    """Refuse an export that names files which it does not hold. Raises `CampfireError` `EXPORT_UNUSABLE`.

    Digests are all that a file's content is asked for by: a foreign one would be given to whoever named it.
    """
    held = {digest for digest, _ in archive.blobs()}
    named: dict[str, set[str | None]] = {person.id: {person.avatar} for person in archive.people()}
    for _, event in archive.events():
        if isinstance(event, happened.UploadFinished) and not event.scrubbed:
            named[event.attachment.id] = {event.attachment.digest}
        elif isinstance(event, happened.MessagePosted):
            for file in event.attachments:
                named.setdefault(file.id, set()).add(file.digest)
        elif isinstance(event, happened.UploadDiscarded):
            named.pop(event.attachment_id, None)
        elif isinstance(event, happened.AvatarSet):
            named[event.user_id] = {event.digest}
        elif isinstance(event, happened.UserRemoved):
            named.pop(event.user_id, None)
    for what, digests in named.items():
        if not digests <= held | {None}:
            raise unusable(f"The file of {what} is not in it.")


def _require_events_of(archive: Archive, room_id: str) -> None:
    """Raises `CampfireError` `EXPORT_UNUSABLE`."""
    for line, event in archive.events():
        if getattr(event, "room_id", None) != room_id:
            raise unusable(f"Position {line.position} ({line.topic}) is no event of this room.")


def _chunks(archive: Archive, after: int = 0) -> Iterator[tuple[int, list[Line]]]:
    """The number of the first line of each chunk, from 1, and its lines."""
    held, first = {digest for digest, _ in archive.blobs()}, after + 1
    rest = (_with_held_pictures(line, event, held) for line, event in islice(archive.events(), after, None))
    while chunk := list(islice(rest, _AT_ONCE)):
        yield first, chunk
        first += len(chunk)


def _with_held_pictures(line: Line, event: Event, held: set[str]) -> Line:
    """A link's preview without a picture that is not there: one of a link that was edited away is collected soon."""
    if not isinstance(event, happened.MessagePreviewed):
        return line
    previews = tuple(
        each if each.image is None or each.image.digest in held else msgspec.structs.replace(each, image=None)
        for each in event.previews
    )
    data = msgspec.json.encode(msgspec.structs.replace(event, previews=previews))
    return msgspec.structs.replace(line, data=msgspec.Raw(data), schema=event.schema)


async def _keep_blobs(archive: Archive, target: Target) -> None:
    for digest, path in archive.blobs():
        await target.keep(digest, path)
