"""Takes what deleted messages had said out of the log, the indexes and the WALs, once a grace period is over."""

import asyncio
import sqlite3
from hashlib import sha256

import structlog

from campfire.domain.events import NewEvent, RecordedEvent, Tombstone
from campfire.domain.scrubbing import decide_scrub, tombstone_of
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.eventlog.codec import EventCodec
from campfire.eventlog.errors import VersionConflict
from campfire.eventlog.recorder import Rewrite
from projections.queries import attachments, removed

_AT_ONCE = 100
"""Messages scrubbed in one transaction."""
_HOUR_MS = 3_600_000
_TRIES = 50
_WAIT_SECONDS = 0.1

log = structlog.get_logger()


class Scrubber:
    """One for the engine. A sweep that is interrupted anywhere is made again by the next one."""

    def __init__(self, engine: Engine, *, sweep_seconds: float = 60) -> None:
        self._engine = engine
        self._sweep_seconds = sweep_seconds
        self._codec = EventCodec()
        # After a start nobody knows whether a sweep before it came to its end.
        self._is_clean = False
        self._sweeping = asyncio.Lock()

    async def run(self) -> None:
        """Sweep every `sweep_seconds`, for ever."""
        while True:
            try:
                await self.sweep()
            except (CampfireError, sqlite3.Error, VersionConflict) as error:
                log.warning("scrub_postponed", error=str(error))
            await asyncio.sleep(self._sweep_seconds)

    async def sweep(self, *, at_once: bool = False) -> int:
        """Scrub what was deleted before the grace period (`at_once`: everything deleted); return how many messages.

        Nothing of them is in any file of the data directory when it returns, the outbox's apart, whose
        worker does the same as soon as it reads of it. Raises what `Engine.append` raises, and
        `DATABASE_MIGRATION_FAILED` while a rebuild runs, which has read the texts.
        """
        async with self._sweeping:
            settings, now = self._engine.settings, self._engine.clock.now_ms()
            before = now if at_once else now - round(settings.scrub_after_hours * _HOUR_MS)
            due = await removed.to_scrub(self._engine.read_models, before, _AT_ONCE)
            if self._is_clean and not due:
                return 0
            if self._engine.read_side.is_rebuilding:
                raise CampfireError("DATABASE_MIGRATION_FAILED", "Scrubbing goes on after the rebuild.", retry_after=60)
            if due:
                # First the words: once a message is on record as scrubbed, nobody looks for them again.
                await self._engine.forget_words()
            count = await self._scrub_all(due, before)
            await self._empty_wals()
            return count

    async def _scrub_all(self, due: list[removed.DeletedMessage], before: int) -> int:
        count = 0
        while due:
            self._is_clean = False
            await self._scrub(due)
            count += len(due)
            due = await removed.to_scrub(self._engine.read_models, before, _AT_ONCE)
        return count

    async def _scrub(self, due: list[removed.DeletedMessage]) -> None:
        events: list[NewEvent] = []
        rewrites: list[Rewrite] = []
        files = await attachments.ids_of_messages(self._engine.read_models, [message.id for message in due])
        for message in due:
            history = await asyncio.to_thread(self._engine.reader.read_stream, message.id)
            mine = self._tombstones(history)
            for attachment_id in files.get(message.id, ()):
                mine += self._tombstones(await asyncio.to_thread(self._engine.reader.read_stream, attachment_id))
            rewrites += mine
            events += decide_scrub(
                message.id,
                message.room_id,
                version=history[-1].version,
                tombstones=tuple(Tombstone(each.position, sha256(each.state).hexdigest()) for each in mine),
                at=self._engine.clock.now_ms(),
            )
        await self._engine.append(events, rewrites)

    def _tombstones(self, history: list[RecordedEvent]) -> list[Rewrite]:
        found = ((each.position, tombstone_of(each.event)) for each in history)
        return [Rewrite(position, self._codec.encode(tombstone)) for position, tombstone in found if tombstone]

    async def _empty_wals(self) -> None:
        for _ in range(_TRIES):
            if await self._engine.empty_wals():
                self._is_clean = True
                return
            await asyncio.sleep(_WAIT_SECONDS)
        log.warning("wal_not_emptied", why="somebody reads all the time; the next sweep tries again")
