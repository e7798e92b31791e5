"""Writing an export, from the log and the blobs alone: no server has to run, and one that runs notices nothing."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import msgspec

from campfire.blobs.store import BlobStore
from campfire.config import Settings
from campfire.domain import events as happened
from campfire.domain.directory import Directory
from campfire.domain.events import Event
from campfire.errors import CampfireError
from campfire.eventlog.codec import EventCodec
from campfire.eventlog.reader import LogReader, RawRow, Tip, id_text
from campfire.exports.form import (
    EVENTS,
    FORMAT,
    KEY,
    MANIFEST,
    MESSAGES,
    PEOPLE,
    ROOMS,
    FileFacts,
    Line,
    LogPlace,
    Manifest,
    PersonLine,
    RoomLine,
    SaidLine,
    Wanted,
)
from campfire.exports.progress import Progress
from campfire.exports.selection import Selection, rooms_of, selection
from campfire.exports.survey import Survey, rows, survey
from campfire.iso_times import iso_from_ms

_encode = msgspec.json.Encoder().encode
_DIRECT_ROOM = "Direct messages"
"""What a room without a name is called where people read it, and in a person's export."""


class Stopped(Exception):
    """Whoever wanted the export has gone."""


def write_export(
    settings: Settings,
    wanted: Wanted,
    target: Path,
    *,
    now_ms: int,
    progress: Progress,
    find: Callable[[Directory], str] | None = None,
    link_blobs: bool = False,
) -> Manifest:
    """Write what is `wanted` into the new directory `target` (mode 700, files 600) and return its manifest.

    Holds ids of what was deleted or edited in memory, and no texts. `find` says by the state of things which room
    or person is meant. `link_blobs` puts blobs in by hard links, for a copy in the data directory that soon goes
    again. Blocks: use a thread. Raises `CampfireError` `ROOM_NOT_FOUND`, `USER_NOT_FOUND`; `LogDamaged`,
    `UnknownTopic`, `OSError`. What was written by then stays for the caller to remove.
    """
    reader = LogReader(settings.events_path)
    try:
        with reader.one_moment():
            tip = reader.tip()
            found = survey(reader, tip.position, lambda position: progress(position, 2 * tip.position))
            if find is not None:
                wanted = msgspec.structs.replace(wanted, id=find(found.directory))
            export = _Export(wanted, found, reader, tip, target, BlobStore(settings.blobs_path))
            name = _name_of(wanted, found)
            target.mkdir(mode=0o700)
            with export.opened():
                for row in rows(reader, tip.position, lambda done: progress(tip.position + done, 2 * tip.position)):
                    export.take(row)
                export.write_people_and_rooms()
    finally:
        reader.close()
    blobs, blob_bytes = export.copy_blobs(link=link_blobs)
    manifest = Manifest(
        format=FORMAT,
        kind=wanted.kind,
        id=wanted.id,
        name=name,
        exported_at=iso_from_ms(now_ms),
        secrets=wanted.secrets,
        log=LogPlace(tip.position, tip.chain.hex(), tip.epoch),
        files=export.facts(),
        blobs=blobs,
        blob_bytes=blob_bytes,
    )
    # Last, and synced: an export without a manifest is none.
    with _private(target / MANIFEST) as file:
        file.write(msgspec.json.format(_encode(manifest), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return manifest


def add_key(settings: Settings, target: Path) -> None:
    """Put the server's key into a finished account's export. Raises `OSError`."""
    with _private(target / KEY) as file:
        file.write(settings.key_path.read_bytes())


class _Table:
    """One NDJSON file that grows, with its digest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = sha256()
        self._lines = self._bytes = 0

    def add(self, line: msgspec.Struct) -> None:
        raw = _encode(line) + b"\n"
        self._file.write(raw)
        self._hash.update(raw)
        self._lines += 1
        self._bytes += len(raw)

    def facts(self) -> FileFacts:
        return FileFacts(self._lines, self._bytes, self._hash.hexdigest())


class _Export:
    def __init__(
        self, wanted: Wanted, found: Survey, reader: LogReader, tip: Tip, target: Path, blobs: BlobStore
    ) -> None:
        self._wanted = wanted
        self._survey = found
        self._reader = reader
        self._tip = tip
        self._target = target
        self._blobs = blobs
        self._codec = EventCodec()
        self._selection: Selection
        self._tables: dict[str, _Table] = {}
        self._digests: set[bytes] = set()
        self._people: set[str] = set()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """While its files are open."""
        self._selection = selection(self._wanted, self._survey)
        names = [EVENTS, MESSAGES]
        names += {"account": [], "room": [PEOPLE, ROOMS], "person": [ROOMS]}[self._wanted.kind]
        with ExitStack() as files:
            for name in names:
                self._tables[name] = _Table(files.enter_context(_private(self._target / name)))
            yield

    def take(self, row: RawRow) -> None:
        chosen = self._selection.choose(row)
        if chosen is None:
            return
        position, stream_id, version, _, _, recorded_at, scrubbed, _ = row
        name, _, schema = chosen.topic.rpartition(":")
        self._tables[EVENTS].add(
            Line(
                position=position,
                stream_id=id_text(stream_id),
                version=version,
                recorded_at=recorded_at,
                topic=name,
                schema=int(schema),
                data=msgspec.Raw(chosen.state),
                scrubbed=scrubbed.hex() if scrubbed is not None and self._wanted.kind == "account" else None,
            )
        )
        if chosen.event is not None:
            self._look_into(chosen.event, stream_id)

    def write_people_and_rooms(self) -> None:
        directory = self._survey.directory
        for room_id in rooms_of(self._selection):
            room = directory.rooms[room_id]
            founding = self._wanted.id in self._survey.founders[room_id]
            name = room.name or _DIRECT_ROOM
            self._tables[ROOMS].add(RoomLine(id=room_id, name=name, created_at=room.created_at, founding=founding))
        if self._wanted.kind != "room":
            return
        room = directory.rooms[self._wanted.id]
        self._people |= {room.created_by, *room.members}
        self._tables[ROOMS].add(
            RoomLine(
                id=room.id,
                name=room.name,
                created_at=room.created_at,
                kind=room.kind,
                created_by=room.created_by,
                archived=room.archived,
                members=sorted(room.members),
            )
        )
        for user_id in sorted(self._people & directory.users.keys()):
            user = directory.users[user_id]
            self._tables[PEOPLE].add(PersonLine(user.id, user.name, user.bio, user.avatar))
            if user.avatar is not None:
                self._digests.add(bytes.fromhex(user.avatar))

    def copy_blobs(self, *, link: bool) -> tuple[int, int]:
        """Put in the blobs that the events name and that are still there; return how many, and their bytes."""
        count = size = 0
        if self._digests:
            (self._target / "blobs").mkdir(mode=0o700)
        for raw in self._digests:
            source, place = self._blobs.path(raw.hex()), self._target / "blobs" / raw.hex()
            try:
                if link:
                    os.link(source, place)
                else:
                    with source.open("rb") as blob, _private(place) as file:
                        shutil.copyfileobj(blob, file, 1 << 20)
            except FileNotFoundError:
                continue  # an old picture, or an upload that nobody used: collected long ago
            count += 1
            size += place.stat().st_size
        return count, size

    def facts(self) -> dict[str, FileFacts]:
        return {name: table.facts() for name, table in self._tables.items()}

    def _look_into(self, event: Event, stream_id: bytes) -> None:
        if isinstance(event, happened.MessagePosted):
            if not self._survey.must_go(stream_id) and not event.scrubbed:
                self._say(event, stream_id)
                self._digests |= {bytes.fromhex(file.digest) for file in event.attachments}
        elif isinstance(event, happened.MessagePreviewed):
            images = (preview.image for preview in event.previews)
            self._digests |= {bytes.fromhex(image.digest) for image in images if image is not None}
        elif isinstance(event, happened.UploadFinished) and not event.scrubbed:
            self._digests.add(bytes.fromhex(event.attachment.digest))
        elif isinstance(event, (happened.AvatarSet, happened.LogoSet)) and event.digest is not None:
            self._digests.add(bytes.fromhex(event.digest))
        self._people |= {mention.user_id for mention in getattr(event, "mentions", ())}
        self._people |= {getattr(event, field, "") for field in ("author_id", "user_id", "by")}

    def _say(self, event: happened.MessagePosted, stream_id: bytes) -> None:
        room = self._survey.directory.rooms.get(event.room_id)
        author = self._survey.directory.users.get(event.author_id)
        self._tables[MESSAGES].add(
            SaidLine(
                at=iso_from_ms(event.at),
                room="" if room is None else room.name or _DIRECT_ROOM,
                author=event.author_name if author is None else author.name,
                text=self._present_text(event, stream_id),
                files=[file.name for file in event.attachments],
                id=event.message_id,
            )
        )

    def _present_text(self, event: happened.MessagePosted, stream_id: bytes) -> str:
        position = self._survey.last_edits.get(stream_id)
        if position is None:
            return event.body
        [edited] = self._reader.read(position - 1, 1)
        assert isinstance(edited.event, happened.MessageEdited)
        return edited.event.body


def _name_of(wanted: Wanted, found: Survey) -> str:
    """Raises `CampfireError`."""
    if wanted.kind == "account":
        return found.directory.account.name if found.directory.account is not None else ""
    if wanted.kind == "person":
        user = found.directory.users.get(wanted.id)
        if user is None:
            raise CampfireError("USER_NOT_FOUND")
        return user.name
    room = found.directory.rooms.get(wanted.id)
    if room is None or room.deleted:
        raise CampfireError("ROOM_NOT_FOUND")
    return room.name


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
