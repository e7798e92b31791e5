"""The form of an export: which files it has and what stands in them. `docs/export.md` says the same to people."""

import re
from typing import Literal

import msgspec

from campfire.domain.events import RoomKind

FORMAT = 1
Kind = Literal["account", "room", "person"]

MANIFEST = "manifest.json"
EVENTS = "events.ndjson"
MESSAGES = "messages.ndjson"
PEOPLE = "people.ndjson"
ROOMS = "rooms.ndjson"
KEY = "server.key"
TABLES = (EVENTS, MESSAGES, PEOPLE, ROOMS)
BLOB = re.compile(r"blobs/([0-9a-f]{64})")

LONGEST_LINE = 4 << 20
"""Bytes; the largest event is a tenth of it."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to export. `secrets`: password hashes and the like; `earlier_texts`: what edited messages said before."""

    kind: Kind
    id: str = ""
    secrets: bool = False
    earlier_texts: bool = True


class FileFacts(msgspec.Struct, frozen=True):
    """One of the NDJSON files: its size in lines and bytes, and its SHA-256 in hex."""

    lines: int
    bytes: int
    sha256: str


class LogPlace(msgspec.Struct, frozen=True):
    """The place in the log that an export shows: position, chain digest (hex), epoch."""

    position: int
    chain: str
    epoch: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an export holds. `exported_at` is ISO 8601."""

    format: int
    kind: Kind
    id: str
    name: str
    exported_at: str
    secrets: bool
    log: LogPlace
    files: dict[str, FileFacts]
    blobs: int
    blob_bytes: int


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event. Times in milliseconds since the epoch; `scrubbed`: the SHA-256 of a state that is gone for good."""

    position: int
    stream_id: str
    version: int
    recorded_at: int
    topic: str
    schema: int
    data: msgspec.Raw
    scrubbed: str | None = None


class SaidLine(msgspec.Struct, frozen=True):
    """A message as somebody reads it, in `messages.ndjson`."""

    at: str
    room: str
    author: str
    text: str
    files: list[str]
    id: str


class PersonLine(msgspec.Struct, frozen=True):
    """Somebody in a room's export; `avatar` is the digest of a blob."""

    id: str
    name: str
    bio: str
    avatar: str | None


class RoomLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A room: of its own export all of it; of a person's only whether they were in it from its beginning."""

    id: str
    name: str
    created_at: int
    founding: bool = False
    kind: RoomKind = "closed"
    created_by: str = ""
    archived: bool = False
    members: list[str] = []
