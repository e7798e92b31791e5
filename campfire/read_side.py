"""The read models of a running engine: kept current, rebuilt when they must be, swapped without a pause.

The projector belongs to the log's writer thread; queries run on connections of their own.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog

from campfire.domain.directory import Directory
from campfire.errors import CampfireError
from campfire.eventlog.group_commit import CommittedBatch
from campfire.eventlog.reader import LogReader
from campfire.eventlog.witness import Witness
from projections.digest import digest_of
from projections.directory_loader import load_directory
from projections.projector import Progress, Projector, ReadModelsUnavailable
from projections.read_models import ReadModels
from projections.rebuild import RebuildStopped, beside, discard, rebuild_beside, swap_in
from projections.search import forget_words
from projections.tracking import Stalled

InWriterTurn = Callable[[Callable[[], Any]], Awaitable[Any]]

NEEDED_FOR_DECISIONS = frozenset(
    {
        "account",
        "users",
        "bots",
        "email_claims",
        "sessions",
        "push_subscriptions",
        "sign_in_links",
        "rooms",
        "memberships",
        "messages",
    }
)
"""Projections without which a command could be decided wrongly; the others may lag alone."""

log = structlog.get_logger()


class ReadSide:
    """Owns the projector and the query connections of `campfire.db`."""

    def __init__(self, path: Path, reader: LogReader) -> None:
        self._path = path
        self._reader = reader
        self._projector = Projector(path)
        self._behind = False
        self._stop = False
        self._rebuilding: asyncio.Task[dict[str, str]] | None = None
        self.queries = ReadModels(path)

    @staticmethod
    def witnesses(path: Path) -> list[Witness]:
        """What the read models remember of the log; nothing if they cannot be read, since they prove nothing then."""
        if not path.exists():
            return []
        try:
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            try:
                rows = connection.execute(
                    "SELECT projection, position, chain FROM tracking WHERE chain IS NOT NULL"
                ).fetchall()
            finally:
                connection.close()
        except sqlite3.DatabaseError:
            log.warning("read_models_unreadable", path=str(path))
            return []
        return [Witness(f"{path.name} ({name})", position, chain) for name, position, chain in rows]

    async def open(self) -> Directory:
        """Bring the read models up to the log and return the directory as of its tip.

        What decisions need is rebuilt here and now if it is damaged or of another version.
        """
        directory = await asyncio.to_thread(self._open)
        await self.queries.open()
        return directory

    async def close(self) -> None:
        await self.queries.close()
        await asyncio.to_thread(self._projector.close)

    @property
    def stalled(self) -> dict[str, Stalled]:
        """Projections that stopped at an event they could not take; their last state stays readable."""
        return self._projector.stalled

    @property
    def outdated(self) -> list[str]:
        """Projections of another version, being rebuilt in the background."""
        return self._projector.needs_rebuild()

    @property
    def is_behind(self) -> bool:
        """Whether the last batch could not be written to the read models."""
        return self._behind

    def require_for_decisions(self) -> None:
        """Raises `CampfireError` `READ_MODEL_STALLED` when a projection that decisions need has stopped."""
        for name, stalled in self._projector.stalled.items():
            if name in NEEDED_FOR_DECISIONS:
                raise CampfireError(
                    "READ_MODEL_STALLED",
                    f"The read model {name} stopped at position {stalled.position}; reading goes on.",
                    retry_after=60,
                )

    def take(self, batch: CommittedBatch) -> None:
        """On the writer's thread: project a committed batch. Raises `CampfireError` `READ_MODEL_STALLED`.

        After a failure the log is read again from where the read models are, so nothing is skipped.
        """
        try:
            if self._behind:
                self._projector.catch_up(self._reader, upto=batch.tip.position)
            else:
                self._projector.apply(batch)
            self._behind = False
        except ReadModelsUnavailable as error:
            self._behind = True
            log.error("read_models_unavailable", error=str(error))
            raise CampfireError(
                "READ_MODEL_STALLED", "It was recorded, but cannot be shown yet; nothing is lost.", retry_after=5
            ) from error
        self.require_for_decisions()

    @property
    def is_rebuilding(self) -> bool:
        return self._rebuilding is not None and not self._rebuilding.done()

    def forget_words(self, *, begin: bool) -> bool:
        """On the writer's thread: see `projections.search.forget_words`."""
        return forget_words(self._projector.connection, begin=begin)

    def empty_wal(self) -> bool:
        """On the writer's thread: leave nothing of what was deleted in the WAL, nor in a rebuild given up."""
        if not self.is_rebuilding:
            discard(beside(self._path))
        return self._projector.empty_wal()

    def rebuild_if_needed(self, in_writer_turn: InWriterTurn) -> None:
        """Begin a rebuild in the background if some projection is of another version."""
        if self._projector.needs_rebuild():
            self._rebuilding = asyncio.create_task(self._rebuild(in_writer_turn, None))
            self._rebuilding.add_done_callback(_report)

    async def rebuild(self, in_writer_turn: InWriterTurn, progress: Progress | None) -> dict[str, str]:
        """Rebuild everything beside, swap it in during the writer's turn, return each table's digest.

        The server goes on meanwhile. `progress` is called on another thread. Raises `CampfireError`
        `DATABASE_MIGRATION_FAILED` if a rebuild is running already.
        """
        if self.is_rebuilding:
            raise CampfireError("DATABASE_MIGRATION_FAILED", "A rebuild is running already.", retry_after=30)
        self._rebuilding = asyncio.create_task(self._rebuild(in_writer_turn, progress))
        return await asyncio.shield(self._rebuilding)

    async def stop_rebuilding(self) -> None:
        """Interrupt a rebuild, which can go on after the next start."""
        if self._rebuilding is not None:
            self._stop = True
            await asyncio.gather(self._rebuilding, return_exceptions=True)

    def _open(self) -> Directory:
        try:
            self._projector.open()
        except sqlite3.DatabaseError as error:
            log.error("read_models_damaged", error=str(error), action="rebuilding from the log")
            self._rebuild_now()
        if NEEDED_FOR_DECISIONS.intersection(self._projector.needs_rebuild()):
            log.warning("read_models_outdated", projections=self._projector.needs_rebuild())
            self._projector.close()
            self._rebuild_now()
        try:
            self._projector.catch_up(self._reader)
            return load_directory(self._projector.connection)
        except (sqlite3.DatabaseError, ReadModelsUnavailable) as error:
            log.error("read_models_damaged", error=str(error), action="rebuilding from the log")
            self._projector.close()
            self._rebuild_now()
            return load_directory(self._projector.connection)

    def _rebuild_now(self) -> None:
        new = beside(self._path)
        rebuild_beside(self._reader, new).close()
        swap_in(new, self._path)
        self._projector = Projector(self._path)
        self._projector.open()

    async def _rebuild(self, in_writer_turn: InWriterTurn, progress: Progress | None) -> dict[str, str]:
        new = beside(self._path)
        built = await asyncio.to_thread(
            rebuild_beside, self._reader, new, progress=progress, should_stop=lambda: self._stop
        )
        loop = asyncio.get_running_loop()

        def swap() -> dict[str, str]:
            digests = self._swap(built, new)
            # The writer waits: whatever it acknowledges next must be seen by whoever asks then.
            asyncio.run_coroutine_threadsafe(self.queries.reopen(), loop).result()
            return digests

        digests: dict[str, str] = await in_writer_turn(swap)
        return digests

    def _swap(self, built: Projector, new: Path) -> dict[str, str]:
        """In the writer's turn: take the last events, put the new file in place, go on with it."""
        built.catch_up(self._reader)
        digests = digest_of(built.connection)
        built.close()
        self._projector.close()
        swap_in(new, self._path)
        self._projector = Projector(self._path)
        self._projector.open()
        self._behind = False
        return digests


def _report(task: "asyncio.Task[dict[str, str]]") -> None:
    if task.cancelled():
        return
    error = task.exception()
    if error is not None and not isinstance(error, RebuildStopped):
        log.error("rebuild_failed", error=str(error))
