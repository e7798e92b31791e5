"""Writing a whole log anew from an export of it: every event at the position and time that it had."""

import sqlite3
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from campfire.eventlog.bulk_insert import bulk_insert
from campfire.eventlog.chain import GENESIS, link
from campfire.eventlog.recorder import open_for_writing

_INSERT = "INSERT INTO events (position, stream_id, version, topic, state, recorded_at, scrubbed_digest, chain)"


class PastEvent(NamedTuple):
    """A row as it was. `topic` as stored; `recorded_at` in milliseconds; `scrubbed` is the digest of what is gone."""

    stream_id: str
    version: int
    topic: str
    state: bytes
    recorded_at: int
    scrubbed: bytes | None


class PastWriter:
    """Writes a new file that nobody reads yet; it is a log only after `finish`."""

    def __init__(self, path: Path) -> None:
        self._connection = open_for_writing(path)
        self._connection.execute("PRAGMA synchronous = OFF")  # whoever puts the file in its place syncs it first
        self._position = 0
        self._chain = GENESIS

    def write(self, events: Sequence[PastEvent]) -> None:
        """Append `events` at the next positions. Raises `sqlite3.IntegrityError` for a version twice."""
        rows = []
        for each in events:
            self._position += 1
            stream_id = UUID(each.stream_id).bytes
            digest = each.scrubbed or sha256(each.state).digest()
            self._chain = link(
                self._chain, self._position, stream_id, each.version, each.topic, each.recorded_at, digest
            )
            rows.append(
                (
                    self._position,
                    stream_id,
                    each.version,
                    each.topic,
                    each.state,
                    each.recorded_at,
                    each.scrubbed,
                    self._chain,
                )
            )
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            bulk_insert(self._connection, _INSERT, rows)
        except sqlite3.Error:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def finish(self) -> None:
        """Say up to where this is the past, so that nobody is notified of it."""
        self._connection.execute(
            "INSERT INTO log_info (name, value) VALUES ('imported_upto', ?)", (str(self._position),)
        )

    def close(self) -> None:
        self._connection.close()
