"""Our recorder on the library's `ApplicationRecorder` interface: the only writer of `events.db`.

What it adds to the library's own SQLite recorder: an explicit position, the time of recording, the
chain, pragmas chosen for durability and steady latency, `subscribe`, and errors that say whether
the disk is full or can no longer be trusted.
"""

import sqlite3
import threading
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    ListenNotifySubscription,
    Notification,
    OperationalError,
    StoredEvent,
)

from campfire.clock import Clock, SystemClock
from campfire.eventlog import schema
from campfire.eventlog.bulk_insert import bulk_insert
from campfire.eventlog.chain import link
from campfire.eventlog.errors import FsyncFailed
from campfire.eventlog.reader import LogReader, Tip

_PAGE_CACHE_KIB = 65_536
_AUTOCHECKPOINT_PAGES = 16_000
_IDS_AT_ONCE = 500
_PROBE = "x" * 65_536
_FSYNC_ERRORS = ("SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC")
_BUSY_MS = 5_000


class Rewrite(NamedTuple):
    """The tombstone that a scrub puts in the place of an event's state."""

    position: int
    state: bytes


class SQLiteLogRecorder(ApplicationRecorder):
    """Appends events durably (WAL, synchronous=FULL). Threads may share it; they take turns."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._subscriptions: list[LogSubscription] = []
        self._connection = open_for_writing(path)
        self.reader = LogReader(path)
        self._tip = self.reader.tip()
        self._recorded_at = self.reader.recorded_at(self._tip.position) or 0

    @property
    def tip(self) -> Tip:
        """The last committed position and its chain."""
        return self._tip

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Append in one transaction and return the positions; see `append`."""
        return self.append(stored_events)[0]

    def append(self, stored_events: Sequence[StoredEvent], rewrites: Sequence[Rewrite] = ()) -> tuple[list[int], int]:
        """Append all or nothing, durably; return their positions and the time of recording (ms).

        `rewrites` are what a scrub among the events has put on record; they happen in the same transaction.

        Raises the library's `IntegrityError` if a version is taken, `OperationalError` if the file
        cannot be written now (its cause is the `sqlite3` error), `FsyncFailed` if the disk would
        not confirm: then nothing about the file is certain and the process must stop.
        """
        if not stored_events:
            return [], self._recorded_at
        with self._lock:
            recorded_at = max(self._recorded_at, self._clock.now_ms())
            rows, tip = self._chained(stored_events, recorded_at)
            self._commit(rows, rewrites)
            self._tip = tip
            self._recorded_at = recorded_at
        for subscription in self._subscriptions:
            subscription.notify()
        return [row[0] for row in rows], recorded_at

    def latest_versions(self, stream_ids: Sequence[bytes]) -> dict[bytes, int]:
        """The last version of each of these streams (the UUID's 16 bytes) that has any."""
        found: dict[bytes, int] = {}
        with self._lock:
            for start in range(0, len(stream_ids), _IDS_AT_ONCE):
                some = stream_ids[start : start + _IDS_AT_ONCE]
                marks = ",".join("?" * len(some))
                statement = (
                    f"SELECT stream_id, MAX(version) FROM events WHERE stream_id IN ({marks}) GROUP BY stream_id"
                )
                found.update(self._connection.execute(statement, some).fetchall())
        return found

    def checkpoint(self) -> None:
        """Move what readers no longer need from the WAL into the database, without waiting for any of them.

        Taken between batches, on purpose: left to itself SQLite does it in the middle of somebody's
        commit, who then waits 5 to 10 ms.
        """
        with self._lock:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def empty_wal(self) -> bool:
        """Move everything from the WAL into the database and cut it to nothing; False if a reader was in the way.

        What a scrub replaced may stand in older frames of the WAL until then.
        """
        with self._lock:
            return empty_wal(self._connection)

    def probe(self) -> None:
        """Write something of a message's size and take it away again. Raises as `append` does.

        It goes beside the events, so that it takes no position.
        """
        with self._lock:
            try:
                self._connection.execute("INSERT INTO log_info (name, value) VALUES ('probe', ?)", (_PROBE,))
                self._connection.execute("DELETE FROM log_info WHERE name = 'probe'")
            except sqlite3.Error as error:
                raise _as_library_error(error) from error

    def limit_pages(self, pages: int) -> None:
        """Let the file grow to `pages` database pages only: a full disk that can be had at will."""
        with self._lock:
            self._connection.execute(f"PRAGMA max_page_count = {int(pages)}").fetchall()

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        rows = self.reader.select(
            "SELECT stream_id, version, topic, state FROM events WHERE stream_id = ? AND version > ? AND version <= ?"
            f" ORDER BY version {'DESC' if desc else 'ASC'} LIMIT ?",
            UUID(str(originator_id)).bytes,
            -1 if gt is None else gt,
            (1 << 62) if lte is None else lte,
            -1 if limit is None else limit,
        )
        return [StoredEvent(UUID(bytes=row[0]), row[1], row[2], row[3]) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        wanted = f" AND topic IN ({','.join('?' * len(topics))})" if topics else ""
        rows = self.reader.select(
            "SELECT stream_id, version, topic, state, position FROM events"
            f" WHERE position >= ? AND position <= ?{wanted} ORDER BY position LIMIT ?",
            (start or 0) + (0 if inclusive_of_start else 1),
            (1 << 62) if stop is None else stop,
            *topics,
            limit,
        )
        return [Notification(UUID(bytes=row[0]), row[1], row[2], row[3], id=row[4]) for row in rows]

    def max_notification_id(self) -> int | None:
        return self.reader.tip().position or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> "LogSubscription":
        subscription = LogSubscription(self, gt, topics)
        self._subscriptions.append(subscription)
        return subscription

    def forget(self, subscription: "LogSubscription") -> None:
        """Stop notifying a subscription that has ended."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def close(self) -> None:
        for subscription in tuple(self._subscriptions):
            subscription.stop()
        self.reader.close()
        with self._lock:
            self._connection.close()

    def _chained(self, stored_events: Sequence[StoredEvent], recorded_at: int) -> tuple[list[tuple[Any, ...]], Tip]:
        position, chain = self._tip.position, self._tip.chain
        rows: list[tuple[Any, ...]] = []
        for stored in stored_events:
            position += 1
            origin = stored.originator_id
            stream_id = origin.bytes if isinstance(origin, UUID) else UUID(origin).bytes
            version, topic, state = stored.originator_version, stored.topic, stored.state
            chain = link(chain, position, stream_id, version, topic, recorded_at, sha256(state).digest())
            rows.append((position, stream_id, version, topic, state, recorded_at, chain))
        return rows, Tip(position, chain, self._tip.epoch)

    def _commit(self, rows: list[tuple[Any, ...]], rewrites: Sequence[Rewrite]) -> None:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            bulk_insert(connection, schema.INSERT, rows)
            if rewrites:
                _rewrite(connection, rewrites)
            connection.execute("COMMIT")
        except sqlite3.IntegrityError as error:
            self._roll_back()
            raise IntegrityError(error) from error
        except sqlite3.Error as error:
            known = _as_library_error(error)
            if not isinstance(known, FsyncFailed):
                self._roll_back()
            raise known from error

    def _roll_back(self) -> None:
        # A full disk makes SQLite roll back by itself; a second ROLLBACK would then be an error.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


class LogSubscription(ListenNotifySubscription[SQLiteLogRecorder]):
    """Iterates over what is recorded, within the writer's process."""

    def notify(self) -> None:
        """Say that there may be something new."""
        self._has_been_notified.set()

    def stop(self) -> None:
        super().stop()
        self._recorder.forget(self)


def _rewrite(connection: sqlite3.Connection, rewrites: Sequence[Rewrite]) -> None:
    connection.execute(schema.BEGIN_SCRUB)
    for position, tombstone in rewrites:
        [(state,)] = connection.execute("SELECT state FROM events WHERE position = ?", (position,)).fetchall()
        connection.execute(schema.SCRUB, (tombstone, sha256(state).digest(), position))
    connection.execute(schema.END_SCRUB)


def empty_wal(connection: sqlite3.Connection) -> bool:
    """Take a truncating checkpoint unless that would mean to wait for a reader; return whether it was taken."""
    connection.execute("PRAGMA busy_timeout = 0").fetchall()
    [(busy, _, _)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}").fetchall()
    return not busy


def _as_library_error(error: sqlite3.Error) -> Exception:
    if getattr(error, "sqlite_errorname", "") in _FSYNC_ERRORS:
        return FsyncFailed(str(error))
    return OperationalError(error)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open or make a log's file, every commit durable. One process may, at any time. Raises `sqlite3.Error`."""
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=_BUSY_MS / 1000)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON").fetchall()  # what a scrub replaces must not stay on its page
    connection.execute(f"PRAGMA cache_size = -{_PAGE_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_AUTOCHECKPOINT_PAGES}").fetchall()
    connection.executescript(schema.SCHEMA)
    connection.execute("INSERT OR IGNORE INTO log_info (name, value) VALUES ('epoch', ?)", (str(uuid4()),))
    return connection
