"""The lease on sending: one worker at a time, and a fence against one that does not know that it is over.

Each new holder counts the epoch up. Every transaction of a worker first checks in itself that the lease
is still its own (`check`), and right before something is sent the lease must not have run out
(`is_valid`, by `Ledger.assure`): a worker that slept past it has to ask the file, and finds its
successor there.

Whoever does not get it stands by, and only reads. Those who stand by queue at `outbox.lock`, so that
one process at a time tries to take over; the workers of versions without a lease hold that lock for
as long as they live, and so are waited for as well.
"""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable
from uuid import uuid4

import structlog

from campfire.clock import Clock
from campfire.config import Settings
from campfire.errors import CampfireError
from campfire.eventlog.data_lock import DataLock
from outbox.migrating import migrate
from outbox.patience import wait_for
from outbox.queries import rows_of
from outbox.tenure import TENURE, Tenure, boot_id, namespace, start_of

STANDING_BY = "outbox worker standing by"

_LOOK_SECONDS = 0.25
_BUSY_SECONDS = 1.0

log = structlog.get_logger()


class LeaseLost(Exception):
    """Another worker has the outbox now: nothing more may be sent or written."""


class Lease:
    """`acquire` it, have every transaction `check` it, `renew` it in time, `release` it; times in monotonic seconds."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._path = settings.outbox_path
        self._clock = clock
        self._seconds = settings.outbox_lease
        self._queue = DataLock(settings.outbox_lock_path, purpose=STANDING_BY)
        self._is_first = False
        self._name = uuid4().hex
        self._expires = float("-inf")
        self.epoch = 0

    @property
    def renew_every(self) -> float:
        """Seconds; often enough that a few failures do not matter."""
        return self._seconds / 6

    def is_valid(self) -> bool:
        """Whether its time is not up, as far as this process knows."""
        return self._clock.monotonic() < self._expires

    async def acquire(self, stopping: asyncio.Event, on_waiting: Callable[[str], None]) -> bool:
        """Stand by until it is ours; False if told to stop before. `on_waiting` hears whom we wait for.

        Raises `CampfireError`: `OUTBOX_UNREADABLE`, `CONFIGURATION_INVALID` if a newer version made the file.
        """
        told = None
        try:
            while not stopping.is_set():
                obstacle = await asyncio.to_thread(self._take_or_obstacle)
                if obstacle is None:
                    log.info("outbox_taken", epoch=self.epoch, pid=os.getpid())
                    return True
                if obstacle != told:
                    log.info("outbox_standing_by", behind=obstacle)
                    on_waiting(obstacle)
                    told = obstacle
                await wait_for(stopping, _LOOK_SECONDS)
            return False
        finally:
            self._queue.release()
            self._is_first = False

    def check(self, connection: sqlite3.Connection) -> None:
        """The fence: to be the first step of every transaction. Raises `LeaseLost`."""
        ours = "SELECT 1 FROM worker WHERE id = 1 AND epoch = ? AND holder = ?"
        if connection.execute(ours, (self.epoch, self._name)).fetchone() is None:
            raise LeaseLost(f"the lease of epoch {self.epoch} is over: another worker has taken the outbox")

    def renew(self, connection: sqlite3.Connection) -> float:
        """A step: until when it now is; `renewed` once that is durable."""
        expires = self._clock.monotonic() + self._seconds
        connection.execute("UPDATE worker SET expires = ?, alive_at = ? WHERE id = 1", (expires, self._clock.now_ms()))
        return expires

    def renewed(self, expires: float) -> None:
        self._expires = expires

    def release(self, connection: sqlite3.Connection) -> None:
        """A step, the last one: whoever stands by may take over at once."""
        self._expires = float("-inf")
        connection.execute("UPDATE worker SET holder = NULL, expires = NULL WHERE id = 1")

    def _take_or_obstacle(self) -> str | None:
        """Take it; if that cannot be, say why."""
        if not self._is_first:
            try:
                self._queue.acquire()
            except CampfireError as error:
                return error.detail
            self._is_first = True
        try:
            found = self._seen()
            if found is None or found.is_over(self._clock.monotonic()):
                found = self._take()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise self._unreadable(error) from error
            return "a process that is just writing outbox.db"  # perhaps stopped in the middle of it
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error
        return None if found is None else f"the outbox worker with pid {found.pid} (epoch {found.epoch})"

    def _seen(self) -> Tenure | None:
        """Who has it as far as one sees without writing; None also if that cannot be seen: `_take` will know.

        After a kill the WAL may have to be recovered first, which only a writer can do.
        """
        try:
            return Tenure.of(rows_of(self._path, TENURE))
        except CampfireError:
            return None

    def _take(self) -> Tenure | None:
        """In a transaction of its own; returns the tenure that is in the way, None once it is ours."""
        with contextlib.closing(sqlite3.connect(self._path, isolation_level=None, timeout=_BUSY_SECONDS)) as connection:
            migrate(connection, self._path)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            found = Tenure.of(connection.execute(TENURE).fetchall())
            now = self._clock.monotonic()
            if found is not None and not found.is_over(now):
                return found  # somebody was faster; closing ends the transaction
            epoch = 1 if found is None else found.epoch + 1
            connection.execute(
                "INSERT OR REPLACE INTO worker"
                " (id, pid, alive_at, epoch, holder, namespace, boot_id, started, expires)"
                " VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    os.getpid(),
                    self._clock.now_ms(),
                    epoch,
                    self._name,
                    namespace(),
                    boot_id(),
                    start_of(os.getpid()),
                    now + self._seconds,
                ),
            )
            connection.execute("COMMIT")
        self.epoch, self._expires = epoch, now + self._seconds
        return None

    def _unreadable(self, error: sqlite3.DatabaseError) -> CampfireError:
        return CampfireError("OUTBOX_UNREADABLE", f"{self._path} cannot be used: {error}.")
