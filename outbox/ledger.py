"""`outbox.db`: every claim and every result durable, many of them in one transaction.

Whoever needs something written hands in a step; one writer runs all the steps that wait in one
transaction with one fsync, then answers. While it writes, the next steps gather by themselves, so
that transactions grow with the load and no timer is needed. A send waits for its claim, the next
send to the same endpoint for the result of the last, and both are one step.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import aiosqlite
import structlog

from campfire.errors import CampfireError
from campfire.eventlog.errors import FsyncFailed
from campfire.eventlog.recorder import empty_wal
from outbox.lease import Lease, LeaseLost
from outbox.metrics import Metrics
from outbox.migrating import migrate
from outbox.patience import wait_for

Result = TypeVar("Result")
Step = Callable[[sqlite3.Connection], Result]
"""Runs on the database's thread, within a transaction, and again from the start if that was rolled back."""

_FSYNC_ERRORS = ("SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC")
_AUTOCHECKPOINT_PAGES = 8_000
_UNWRITABLE_SECONDS = 1.0
_PAGE_CACHE_KIB = 32_768

log = structlog.get_logger()


class _Waiting(NamedTuple):
    step: Step[Any]
    answer: "asyncio.Future[Any]"
    forgets: bool


class Ledger:
    """The only writer of `outbox.db`, for as long as the lease holds; without one nobody else may be there."""

    def __init__(self, path: Path, lease: Lease | None = None, metrics: Metrics | None = None) -> None:
        self._path = path
        self._lease = lease
        self._metrics = metrics or Metrics()
        self._waiting: list[_Waiting] = []
        self._something = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._wal_to_empty = True  # a worker that was killed may have left something there
        self._database: aiosqlite.Connection

    async def open(self) -> None:
        """Raises `CampfireError`: `OUTBOX_UNREADABLE`, `CONFIGURATION_INVALID` if a newer version made the file."""
        self._database = await aiosqlite.connect(self._path, isolation_level=None)
        try:
            await self.rows("PRAGMA journal_mode = WAL")
            await self.rows("PRAGMA synchronous = FULL")
            await self.rows("PRAGMA secure_delete = ON")  # texts of deleted messages must not stay on their pages
            await self.rows(f"PRAGMA wal_autocheckpoint = {_AUTOCHECKPOINT_PAGES}")
            await self.rows(f"PRAGMA cache_size = -{_PAGE_CACHE_KIB}")
            await self._run(migrate, self._path)
            await self._run(self._metrics.listen)
        except sqlite3.DatabaseError as error:
            await self._database.close()
            raise CampfireError("OUTBOX_UNREADABLE", f"{self._path} cannot be used: {error}.") from error
        except CampfireError:
            await self._database.close()
            raise
        self._writer = asyncio.create_task(self._write())

    async def close(self) -> None:
        """Let go of the file. Steps that still wait are refused with `asyncio.CancelledError`."""
        if self._writer is not None:
            self._writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer
        for waiting in self._waiting:
            waiting.answer.cancel()
        await self._database.close()

    async def write(self, step: Step[Result], *, forgets: bool = False) -> Result:
        """Run `step` in the next transaction; return its result once that is durable.

        What a step that `forgets` overwrites is in no file any more as soon as no reader is in the way: after its
        transaction, or one of the next.

        Raises what the step raises, `sqlite3.OperationalError` if nothing can be written now (then
        nothing was), and `FsyncFailed` if the disk would not confirm: then the process must stop.
        """
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(step, answer, forgets))
        self._something.set()
        return await answer

    async def write_patiently(self, step: Step[Result], stopping: asyncio.Event) -> Result | None:
        """Have `step` written, however long the disk is full: to forget a result would be to send it again.

        Only a worker that is told to stop gives up; then None, and the next one repeats what was on its way.
        """
        while True:
            try:
                return await self.write(step)
            except sqlite3.OperationalError as error:
                log.error("outbox_unwritable", error=str(error))
                if stopping.is_set():
                    return None
                await wait_for(stopping, _UNWRITABLE_SECONDS)

    async def renew(self) -> None:
        """Keep the lease for its full time again. Raises as `write`, and `LeaseLost`."""
        if self._lease is not None:
            self._lease.renewed(await self.write(self._lease.renew))

    async def assure(self) -> None:
        """To be awaited right before anything is sent: what was claimed long ago may be another worker's by now.

        Costs nothing unless the lease has run out. Raises `LeaseLost`.
        """
        while self._lease is not None and not self._lease.is_valid():
            try:
                await self.renew()
            except sqlite3.OperationalError as error:
                log.error("outbox_unwritable", error=str(error))
                await asyncio.sleep(_UNWRITABLE_SECONDS)

    async def rows(self, statement: str, parameters: Iterable[Any] = ()) -> list[Any]:
        """All rows of one statement, as of the last transaction."""
        return list(await self._database.execute_fetchall(statement, parameters))

    async def _write(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            batch, self._waiting = self._waiting, []
            outcomes = await self._on_its_thread([waiting.step for waiting in batch])
            for waiting, outcome in zip(batch, outcomes, strict=True):
                if waiting.answer.done():
                    continue
                if isinstance(outcome, Exception):
                    waiting.answer.set_exception(outcome)
                else:
                    waiting.answer.set_result(outcome)
            # Only now: the WAL may have been emptied of what was there before, but not of this.
            self._wal_to_empty |= any(waiting.forgets for waiting in batch)
            if self._wal_to_empty:
                await self._empty_wal()

    async def _empty_wal(self) -> None:
        try:
            self._wal_to_empty = not await self._run(empty_wal)
        except sqlite3.OperationalError as error:
            log.warning("outbox_wal_not_emptied", error=str(error))  # the next transaction tries again

    async def _on_its_thread(self, steps: Sequence[Step[Any]]) -> list[Any]:
        outcomes: list[Any] = await self._run(_commit, steps, self._lease, self._metrics)
        return outcomes

    async def _run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        # The library's public calls go to its thread and back for every statement, which costs more
        # than the statements: 2,000 deliveries a second at most. Its own way there takes any function.
        database = self._database
        return await database._execute(work, database._conn, *arguments)  # type: ignore[no-untyped-call]


def _commit(
    connection: sqlite3.Connection, steps: Sequence[Step[Any]], lease: Lease | None, metrics: Metrics
) -> list[Any]:
    """Run `steps` in one transaction; return what each returned, or the exception that it ended with."""
    try:
        with metrics.transaction(len(steps)):
            return _transaction(connection, steps, lease)
    except sqlite3.OperationalError as error:
        return [_unconfirmed(error)] * len(steps)
    except LeaseLost as error:
        return [error] * len(steps)
    except Exception as error:
        if len(steps) == 1:
            return [error]
        # A defect in one step is no reason to fail its neighbours: each stands for itself now.
        return [outcome for step in steps for outcome in _commit(connection, [step], lease, metrics)]


def _transaction(connection: sqlite3.Connection, steps: Sequence[Step[Any]], lease: Lease | None) -> list[Any]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if lease is not None:
            lease.check(connection)
        results = [step(connection) for step in steps]
        connection.execute("COMMIT")
    except BaseException:
        # A full disk makes SQLite roll back by itself; a second ROLLBACK would then be an error.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return results


def _unconfirmed(error: sqlite3.OperationalError) -> Exception:
    """After a failed fsync nobody knows what the file holds; everything else can be tried again."""
    if getattr(error, "sqlite_errorname", "") in _FSYNC_ERRORS:
        return FsyncFailed(str(error))
    return error
