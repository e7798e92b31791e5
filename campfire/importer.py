"""Importing chat history from NDJSON: one object a line with `at`, `room`, `kind`, `user`, and `body` or `to`.

Every chunk of lines is one append, together with the event that says how far the import has come.
So it can be killed anywhere and run again: it goes on with the first line that is not in the log.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Literal

import msgspec

from campfire.domain import ids
from campfire.domain.events import (
    Event,
    ImportProgressed,
    MemberAdded,
    MemberRemoved,
    MessagePosted,
    NewEvent,
    NicknameChanged,
    RoomCreated,
    UserCreated,
)
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.eventlog.errors import VersionConflict
from campfire.iso_times import ms_from_iso

LONGEST_NAME = 100
_YEAR_10000 = 253_402_300_800_000


class Line(msgspec.Struct, frozen=True):
    """One line of the file."""

    at: str
    room: str
    kind: Literal["message", "joined", "left", "renamed"]
    user: str
    body: str | None = None
    to: str | None = None


class Malformed(msgspec.Struct, frozen=True):
    """A line that could not be taken, and why."""

    line: int
    reason: str


class ImportCounts(msgspec.Struct):
    """What became of some lines. `unchanged` joins and leaves said what was so already."""

    lines: int = 0
    already_imported: int = 0
    messages: int = 0
    joined: int = 0
    left: int = 0
    renamed: int = 0
    unchanged: int = 0
    people: int = 0
    events: int = 0
    malformed: list[Malformed] = []
    stopped: bool = False

    def add(self, other: "ImportCounts") -> None:
        """Add up what became of the next lines."""
        for name in (
            "lines",
            "already_imported",
            "messages",
            "joined",
            "left",
            "renamed",
            "unchanged",
            "people",
            "events",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.malformed = self.malformed + other.malformed
        self.stopped = self.stopped or other.stopped


class _MalformedLine(Exception):
    """Why a line cannot be taken."""


class NdjsonImporter:
    """Takes a file's lines from the first on, chunk by chunk. `source` names the import in the log."""

    def __init__(self, engine: Engine, source: str) -> None:
        self._engine = engine
        self._source = source
        self._digest = b""
        self._decoder = msgspec.json.Decoder(Line)
        self.next_line = 1

    async def take(self, lines: Sequence[bytes], first: int, *, stop_on_error: bool = False) -> ImportCounts:
        """Import `lines`, of which the first has number `first`; return what became of them.

        Raises `CampfireError`: `VALIDATION_FAILED` if the lines are not those imported before under
        this name, or another run is importing them; and what `Engine.append` raises.
        """
        if first != self.next_line:
            raise CampfireError(
                "VALIDATION_FAILED", f"Line {self.next_line} of the import comes next, not line {first}; start again."
            )
        known = self._engine.directory.imports.get(self._source)
        done = known.lines if known else 0
        skipped = max(0, min(len(lines), done - first + 1))
        self._pass(lines[:skipped])
        if skipped and known is not None and self.next_line - 1 == done and self._digest.hex() != known.digest:
            raise CampfireError(
                "VALIDATION_FAILED",
                f"The first {done} lines are not those that were imported as {self._source!r}: name another --source.",
            )
        chunk = _Chunk(self._engine, self._source, self._decoder)
        taken = 0
        for number, line in enumerate(lines[skipped:], start=first + skipped):
            if not chunk.take(number, line) and stop_on_error:
                chunk.counts.stopped = True
                break
            taken += 1
        self._pass(lines[skipped : skipped + taken])
        if taken:
            await self._append(chunk, known.version if known else 0)
        chunk.counts.lines = skipped + taken
        chunk.counts.already_imported = skipped
        return chunk.counts

    def _pass(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            self._digest = sha256(self._digest + line).digest()
        self.next_line += len(lines)

    async def _append(self, chunk: "_Chunk", version: int) -> None:
        now = self._engine.clock.now_ms()
        progressed = ImportProgressed(at=now, source=self._source, lines=self.next_line - 1, digest=self._digest.hex())
        marker = NewEvent(ids.import_stream(self._source), version + 1, progressed)
        try:
            recorded = await self._engine.append([marker, *chunk.events])
        except VersionConflict as error:
            raise CampfireError(
                "VALIDATION_FAILED", f"Another run is importing {self._source!r}; wait for it to end."
            ) from error
        chunk.counts.events = len(recorded)


class _Chunk:
    """Turns lines into events, on top of the directory and what earlier lines of the chunk changed."""

    def __init__(self, engine: Engine, source: str, decoder: "msgspec.json.Decoder[Line]") -> None:
        self._directory = engine.directory
        self._source = source
        self._decode = decoder.decode
        self._new_people: set[str] = set()
        self._members: dict[str, set[str]] = {}
        self._user_ids: dict[str, str] = {}
        self.counts = ImportCounts()
        self.events: list[NewEvent] = []

    def take(self, number: int, raw: bytes) -> bool:
        """Turn one line into events; False if it is malformed, which is then counted."""
        try:
            line = self._decode(raw)
            self._apply(number, line, _milliseconds(line.at))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, _MalformedLine) as error:
            self.counts.malformed.append(Malformed(number, str(error)))
            return False
        return True

    def _apply(self, number: int, line: Line, at: int) -> None:
        self._check(line)
        user_id = self._person(line.user, at)
        room_id = self._room(line.room, user_id, at)
        members = self._members[room_id]
        if line.kind == "message":
            if user_id not in members:
                self._join(room_id, user_id, at)
            self._post(number, line, room_id, user_id, at)
        elif line.kind == "joined":
            self._count_change("joined", user_id not in members)
            self._join(room_id, user_id, at)
        elif line.kind == "left":
            self._count_change("left", user_id in members)
            self._leave(room_id, user_id, at)
        else:
            self._rename(number, line, room_id, user_id, at)

    def _check(self, line: Line) -> None:
        for name in (line.user, line.room, *([line.to or ""] if line.kind == "renamed" else [])):
            if not 1 <= len(name) <= LONGEST_NAME:
                raise _MalformedLine(f"a name needs 1 to {LONGEST_NAME} characters")
        if line.kind == "message" and line.body is None:
            raise _MalformedLine("a message needs a body")

    def _count_change(self, kind: Literal["joined", "left"], changes: bool) -> None:
        if changes:
            setattr(self.counts, kind, getattr(self.counts, kind) + 1)
        else:
            self.counts.unchanged += 1

    def _person(self, nickname: str, at: int) -> str:
        user_id = self._user_ids.get(nickname)
        if user_id is None:
            user_id = self._user_ids[nickname] = ids.imported_user_id(self._source, nickname)
        if user_id not in self._directory.users and user_id not in self._new_people:
            self._new_people.add(user_id)
            self.counts.people += 1
            created = UserCreated(
                at=at, user_id=user_id, name=nickname, role="member", can_sign_in=False, origin="import"
            )
            self._add(user_id, 1, created)
        return user_id

    def _room(self, name: str, first_person: str, at: int) -> str:
        room_id = ids.imported_room_id(self._source, name)
        if room_id in self._members:
            return room_id
        known = self._directory.rooms.get(room_id)
        if known is not None:
            self._members[room_id] = set(known.members)
            return room_id
        people = [user for user in self._directory.users.values() if user.can_sign_in and user.active]
        administrators = [user.id for user in people if user.role == "administrator"]
        self._members[room_id] = {user.id for user in people}
        created = RoomCreated(
            at=at,
            room_id=room_id,
            name=name,
            kind="open",
            created_by=administrators[0] if administrators else first_person,
            members=tuple(sorted(self._members[room_id])),
            origin="import",
        )
        self._add(room_id, 1, created)
        return room_id

    def _post(self, number: int, line: Line, room_id: str, user_id: str, at: int) -> None:
        self.counts.messages += 1
        message_id = ids.imported_line_id(self._source, number)
        posted = MessagePosted(
            at=at,
            message_id=message_id,
            room_id=room_id,
            author_id=user_id,
            author_name=line.user,
            body=line.body or "",
            client_message_id=f"{self._source}:{number}",
            origin="import",
        )
        self._add(message_id, 1, posted)

    def _rename(self, number: int, line: Line, room_id: str, user_id: str, at: int) -> None:
        self.counts.renamed += 1
        new_user_id = self._person(line.to or "", at)
        changed = NicknameChanged(at=at, room_id=room_id, user_id=user_id, new_user_id=new_user_id)
        self._add(ids.imported_line_id(self._source, number), 1, changed)
        self._leave(room_id, user_id, at)
        self._join(room_id, new_user_id, at)

    def _join(self, room_id: str, user_id: str, at: int) -> None:
        if user_id in self._members[room_id]:
            return
        self._members[room_id].add(user_id)
        added = MemberAdded(at=at, room_id=room_id, user_id=user_id, by=user_id, origin="import")
        self._add(ids.membership_stream(room_id, user_id), None, added)

    def _leave(self, room_id: str, user_id: str, at: int) -> None:
        if user_id not in self._members[room_id]:
            return
        self._members[room_id].discard(user_id)
        removed = MemberRemoved(at=at, room_id=room_id, user_id=user_id, by=user_id, origin="import")
        self._add(ids.membership_stream(room_id, user_id), None, removed)

    def _add(self, stream_id: str, version: int | None, event: Event) -> None:
        self.events.append(NewEvent(stream_id, version, event))


def _milliseconds(text: str) -> int:
    try:
        at = ms_from_iso(text)
    except ValueError as error:
        raise _MalformedLine(f"at is not an ISO 8601 time: {text!r}") from error
    if not 0 <= at < _YEAR_10000:
        raise _MalformedLine("at is before 1970 or after 9999")
    return at
