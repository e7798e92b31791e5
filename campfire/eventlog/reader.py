"""Reading the log, from any process. Never writes, never takes a lock that a writer waits for."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from campfire.domain.events import MessageDeleted, RecordedEvent
from campfire.eventlog.chain import GENESIS
from campfire.eventlog.codec import EventCodec
from campfire.eventlog.errors import LogDamaged

_IDS_AT_ONCE = 500
_COLUMNS = "position, stream_id, version, topic, state, recorded_at"
RawRow = tuple[int, bytes, int, str, bytes, int, bytes | None, bytes]
"""position, stream_id, version, topic, state, recorded_at, scrubbed_digest, chain"""


class Tip(msgspec.Struct, frozen=True):
    """How far a log has come: its last position (0 if empty), the chain there, and its epoch."""

    position: int
    chain: bytes
    epoch: str


class LogReader:
    """A read-only view of `events.db`. Safe to use from several threads, which then take turns."""

    def __init__(self, path: Path, codec: EventCodec | None = None) -> None:
        self._codec = codec or EventCodec()
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False, isolation_level=None, timeout=5
        )

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def epoch(self) -> str:
        """The name of this history; a restore to an earlier point begins a new one."""
        [(value,)] = self.select("SELECT value FROM log_info WHERE name = 'epoch'")
        return str(value)

    def imported_upto(self) -> int:
        """The last position that came from an account's export, 0 if none: what happened then was told then."""
        rows = self.select("SELECT value FROM log_info WHERE name = 'imported_upto'")
        return int(rows[0][0]) if rows else 0

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """Whatever is read inside is as of one moment, however long it takes; the log's WAL cannot shrink meanwhile."""
        self.select("BEGIN")
        try:
            yield
        finally:
            self.select("COMMIT")

    def versions(self, stream_ids: Iterable[str]) -> dict[str, int]:
        """The last version of each of these streams that has any (index `events_by_stream`)."""
        found: dict[str, int] = {}
        wanted = [UUID(each).bytes for each in stream_ids]
        for start in range(0, len(wanted), _IDS_AT_ONCE):
            some = wanted[start : start + _IDS_AT_ONCE]
            statement = (
                "SELECT stream_id, MAX(version) FROM events"
                f" WHERE stream_id IN ({','.join('?' * len(some))}) GROUP BY stream_id"
            )
            found.update((id_text(raw), version) for raw, version in self.select(statement, *some))
        return found

    def deleted_messages(self, message_ids: Iterable[str]) -> set[str]:
        """Which of these messages are deleted by now (index `events_by_stream`)."""
        found: set[str] = set()
        wanted = [UUID(each).bytes for each in message_ids]
        deleted = f"{MessageDeleted.topic}:*"  # of any schema
        for start in range(0, len(wanted), _IDS_AT_ONCE):
            some = wanted[start : start + _IDS_AT_ONCE]
            statement = (
                f"SELECT stream_id FROM events WHERE stream_id IN ({','.join('?' * len(some))}) AND topic GLOB ?"
            )
            found.update(id_text(raw) for [raw] in self.select(statement, *some, deleted))
        return found

    def tip(self) -> Tip:
        """The last event's place, as of now."""
        rows = self.select("SELECT position, chain FROM events ORDER BY position DESC LIMIT 1")
        position, chain = rows[0] if rows else (0, GENESIS)
        return Tip(position, chain, self.epoch())

    def tip_at(self, position: int) -> Tip:
        """The tip as it was when `position` was the last. Raises `LogDamaged` if it is missing."""
        chain = self.chain_at(position)
        if chain is None:
            raise LogDamaged(position, "the event is missing")
        return Tip(position, chain, self.epoch())

    def chain_at(self, position: int) -> bytes | None:
        """The chain digest at `position`, None if the log has no such event."""
        if position == 0:
            return GENESIS
        rows = self.select("SELECT chain FROM events WHERE position = ?", position)
        return rows[0][0] if rows else None

    def read(self, after: int, limit: int = 1000, upto: int | None = None) -> list[RecordedEvent]:
        """Up to `limit` events at positions in (`after`, `upto`], in order.

        Raises `UnknownTopic`, and `LogDamaged` for a state that cannot be read.
        """
        end = upto if upto is not None else (1 << 62)
        return self._recorded(
            self.select(
                f"SELECT {_COLUMNS} FROM events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
                after,
                end,
                limit,
            )
        )

    def event_at(self, position: int) -> RecordedEvent:
        """One event. Raises as `read`, and `LogDamaged` if it is missing."""
        events = self.read(position - 1, 1, position)
        if not events:
            raise LogDamaged(position, "the event is missing")
        return events[0]

    def read_stream(self, stream_id: str) -> list[RecordedEvent]:
        """All events of one stream, in order (index `events_by_stream`)."""
        return self._recorded(
            self.select(f"SELECT {_COLUMNS} FROM events WHERE stream_id = ? ORDER BY version", UUID(stream_id).bytes)
        )

    def raw(self, after: int, limit: int, upto: int) -> list[RawRow]:
        """Rows as stored, for verification; as `read` otherwise."""
        return self.select(
            f"SELECT {_COLUMNS}, scrubbed_digest, chain FROM events"
            " WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
            after,
            upto,
            limit,
        )

    def position_at(self, recorded_ms: int) -> int:
        """The last position recorded at or before `recorded_ms`, 0 if there is none.

        A binary search over positions: recording times never decrease, and need no index of their own.
        """
        low, high = 0, self.tip().position
        while low < high:
            middle = (low + high + 1) // 2
            rows = self.select("SELECT recorded_at FROM events WHERE position = ?", middle)
            if not rows:
                raise LogDamaged(middle, "the event is missing")
            if rows[0][0] <= recorded_ms:
                low = middle
            else:
                high = middle - 1
        return low

    def recorded_at(self, position: int) -> int | None:
        """When `position` was recorded (milliseconds), None if the log has no such event."""
        rows = self.select("SELECT recorded_at FROM events WHERE position = ?", position)
        return rows[0][0] if rows else None

    def select(self, statement: str, *parameters: Any) -> list[Any]:
        """The rows of one statement; for the log's own modules."""
        with self._lock:
            return self._connection.execute(statement, parameters).fetchall()

    def _recorded(self, rows: list[Any]) -> list[RecordedEvent]:
        decode = self._codec.decode
        recorded: list[RecordedEvent] = []
        for position, stream_id, version, topic, state, recorded_at in rows:
            try:
                event = decode(topic, state)
            except (msgspec.DecodeError, ValueError) as error:
                raise LogDamaged(position, f"the event cannot be read: {error}") from error
            recorded.append(RecordedEvent(position, id_text(stream_id), version, recorded_at, event))
        return recorded


def id_text(raw: bytes) -> str:
    """A UUID's 16 bytes as text; twice as fast as going through `uuid.UUID`, which replay feels."""
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
