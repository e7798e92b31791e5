"""The engine: log, decisions and read models put together, the one path that every change walks.

A server process has one; a command line that changes things while no server runs opens one too.
Whoever has it holds the data directory's lock.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
import structlog

from campfire.clock import Clock, SystemClock
from campfire.config import Settings
from campfire.domain.applying import apply
from campfire.domain.directory import Directory
from campfire.domain.events import NewEvent, RecordedEvent
from campfire.domain.ids import IdMaker, random_id
from campfire.domain.presence import decide_presence_reset
from campfire.errors import CampfireError
from campfire.eventlog import witness
from campfire.eventlog.data_lock import DataLock
from campfire.eventlog.errors import FsyncFailed, LogDamaged, VersionConflict
from campfire.eventlog.group_commit import CommittedBatch, GroupCommit
from campfire.eventlog.reader import LogReader
from campfire.eventlog.recorder import Rewrite, SQLiteLogRecorder
from campfire.eventlog.witness import TipFile, Witness, tip_file_witness
from campfire.read_side import ReadSide
from campfire.sealing import Sealer
from outbox.queries import witness_of
from projections.read_models import ReadModels

Decide = Callable[[], Sequence[NewEvent]]

_DECISIONS = 4
"""How often a command is decided anew when somebody else was faster, before it is given up."""

log = structlog.get_logger()


class EngineHealth(msgspec.Struct, frozen=True):
    """What the engine knows about itself. `write_error` is the code of the last failed append, if it failed."""

    position: int
    waiting: int
    capacity: int
    write_error: str | None


class Engine:
    """Use `open`, then `perform` commands, then `close`."""

    def __init__(
        self, settings: Settings, clock: Clock, new_id: IdMaker, lock: DataLock, recorder: SQLiteLogRecorder
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.new_id = new_id
        self.sealer = Sealer.from_key_file(settings.key_path, create=True)
        self.reader: LogReader = recorder.reader
        self.epoch = recorder.tip.epoch
        self.position = recorder.tip.position
        self.directory = Directory()
        self.subscribers: list[Callable[[CommittedBatch], None]] = []
        self._alone = asyncio.Lock()
        self._lock = lock
        self._recorder = recorder
        self._tip_file = TipFile(settings.tip_path)
        self._read_side = ReadSide(settings.read_models_path, recorder.reader)
        self._log: GroupCommit

    @classmethod
    async def open(cls, settings: Settings, *, clock: Clock | None = None, new_id: IdMaker = random_id) -> "Engine":
        """Take the data directory, prove the log against its witnesses, bring the read models up to it.

        Raises `CampfireError`: `DATA_DIRECTORY_IN_USE`, `LOG_DAMAGED`, `CONFIGURATION_INVALID`.
        """
        clock = clock or SystemClock()
        _make_data_directory(settings.data)
        lock = DataLock(settings.lock_path)
        lock.acquire()
        try:
            recorder = await asyncio.to_thread(_open_proven_log, settings, clock)
            engine = cls(settings, clock, new_id, lock, recorder)
            await engine._start()
        except BaseException:
            lock.release()
            raise
        return engine

    @property
    def read_models(self) -> ReadModels:
        return self._read_side.queries

    @property
    def read_side(self) -> ReadSide:
        return self._read_side

    async def perform(self, decide: Decide) -> tuple[RecordedEvent, ...]:
        """Decide, append, and return what was recorded once it is durable and everybody can see it.

        `decide` reads `self.directory` and runs again if somebody else changed the same stream
        meanwhile. What it raises comes through; see `append` for the rest, and
        `DATABASE_CONSTRAINT_VIOLATION` when others were faster every time.
        """
        for _ in range(_DECISIONS):
            events = decide()
            if not events:
                return ()
            try:
                return await self.append(events)
            except VersionConflict:
                continue
        raise CampfireError("DATABASE_CONSTRAINT_VIOLATION", retry_after=1)

    async def perform_alone(self, decide: Decide) -> tuple[RecordedEvent, ...]:
        """As `perform`, one such decision after the other: for rules about several streams at once.

        Two administrators who demote each other at the same moment change two streams; neither decision
        would see that the other leaves nobody to administer.
        """
        async with self._alone:
            return await self.perform(decide)

    async def append(self, events: Sequence[NewEvent], rewrites: Sequence[Rewrite] = ()) -> tuple[RecordedEvent, ...]:
        """Append events that were decided already. Raises `VersionConflict`, and what `GroupCommit.append` raises."""
        self._read_side.require_for_decisions()
        return await self._log.append(events, rewrites)

    async def forget_words(self) -> None:
        """Take the words of deleted messages out of the full-text index's file, letting others write between."""
        begin = True
        while not await self._log.in_writer_turn(partial(self._read_side.forget_words, begin=begin)):
            begin = False

    async def empty_wals(self) -> bool:
        """Leave nothing of what was scrubbed or deleted in a WAL; False if a reader was in the way."""

        def turn() -> bool:
            return all([self._recorder.empty_wal(), self._read_side.empty_wal()])

        return bool(await self._log.in_writer_turn(turn))

    async def rebuild(self, progress: Callable[[int, int], None] | None = None) -> dict[str, str]:
        """Rebuild all read models beside the live ones and swap them in; return the digest of each table."""
        return await self._read_side.rebuild(self._log.in_writer_turn, progress)

    def health(self) -> EngineHealth:
        error = self._log.write_error
        return EngineHealth(self.position, self._log.waiting, self._log.capacity, error.code if error else None)

    def limit_log_pages(self, pages: int) -> None:
        """Let the log grow to `pages` database pages only; see `SQLiteLogRecorder.limit_pages`."""
        self._recorder.limit_pages(pages)

    async def close(self) -> None:
        """Write what waits, then let go of everything."""
        await self._read_side.stop_rebuilding()
        await self._log.close()
        await self._read_side.close()
        await asyncio.to_thread(self._recorder.close)
        self._tip_file.close()
        self._lock.release()

    async def _start(self) -> None:
        self.directory = await self._read_side.open()
        self._log = GroupCommit(self._recorder, project=self._project, publish=self._publish, die=_die)
        await self.perform(lambda: decide_presence_reset(self.directory, seen=self.position, at=self.clock.now_ms()))
        self._read_side.rebuild_if_needed(self._log.in_writer_turn)

    def _project(self, batch: CommittedBatch) -> None:
        """On the writer's thread: leave word of the commit, then let the read models take it."""
        self._tip_file.write(batch.tip)
        self._read_side.take(batch)

    def _publish(self, batch: CommittedBatch) -> None:
        """On the loop: from here on decisions see the batch, then everybody else."""
        for recorded in batch.events:
            apply(self.directory, recorded)
        self.position = batch.tip.position
        for subscriber in self.subscribers:
            try:
                subscriber(batch)
            except Exception:
                # The batch is committed: one listener's defect must keep nobody from the acknowledgement.
                log.exception("subscriber_failed", position=batch.tip.position)


def _make_data_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CampfireError("CONFIGURATION_INVALID", f"The data directory {path} cannot be made: {error}.") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise CampfireError("CONFIGURATION_INVALID", f"The data directory {path} cannot be written to.")


def _open_proven_log(settings: Settings, clock: Clock) -> SQLiteLogRecorder:
    witnesses = _witnesses(settings)
    if not settings.events_path.exists() and any(each.position for each in witnesses):
        seen = max(witnesses, key=lambda each: each.position)
        raise _damaged(
            settings,
            LogDamaged(
                1,
                f"{settings.events_path.name} is gone, but {seen.name} has seen"
                f" {seen.position}: positions 1 to {seen.position} are missing",
            ),
        )
    try:
        recorder = SQLiteLogRecorder(settings.events_path, clock)
    except sqlite3.DatabaseError as error:
        raise _damaged(settings, LogDamaged(1, f"SQLite cannot read it: {error}")) from error
    try:
        witness.check(recorder.reader, witnesses)
    except (LogDamaged, sqlite3.DatabaseError) as error:
        recorder.close()
        damage = error if isinstance(error, LogDamaged) else LogDamaged(1, f"SQLite cannot read it: {error}")
        raise _damaged(settings, damage) from error
    return recorder


def _witnesses(settings: Settings) -> list[Witness]:
    found = [tip_file_witness(settings.tip_path), _outbox_witness(settings.outbox_path)]
    return [each for each in found if each is not None] + ReadSide.witnesses(settings.read_models_path)


def _outbox_witness(path: Path) -> Witness | None:
    try:
        return witness_of(path)
    except CampfireError as error:
        # A witness that cannot speak is no reason to keep people from talking; health shows it red.
        log.error("outbox_unreadable", detail=error.detail)
        return None


def _damaged(settings: Settings, damage: LogDamaged) -> CampfireError:
    return CampfireError(
        "LOG_DAMAGED",
        f"The log {settings.events_path} cannot be trusted: {damage.reason} (position {damage.position})."
        " Nothing was changed. Bring back the missing files (events.db together with its -wal file),"
        " or restore the data directory from a backup.",
        position=damage.position,
    )


def _die(error: FsyncFailed) -> None:
    """End at once, without tidying: after a failed fsync nothing that we know about the file is certain."""
    log.critical("stopping_after_failed_fsync", error=str(error))
    os._exit(74)
