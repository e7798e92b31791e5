"""Deletes the messages that go with their room, with their author, or with their time.

Each is deleted as if by hand, by an event of its own, so that search, feeds, unread counts, webhooks and
scrubbing need to know of one way only. What was begun is gone on with after a start: the record says what
is not finished.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence

import structlog

from campfire.domain.events import DeletionReason, NewEvent, RoomEmptied, UserMessagesRemoved
from campfire.domain.messages import removed
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.eventlog.errors import VersionConflict
from projections.queries import removed as queries
from projections.queries.removed import StandingMessage

_LOOK_SECONDS = 60
_OLD_SECONDS = 3_600
"""Between two looks for messages whose time has come; each passes over all that went before."""
_AT_ONCE = 200
_DAY_MS = 86_400_000

log = structlog.get_logger()


class Remover:
    """One for the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._wanted = asyncio.Event()
        self._old_due = 0.0

    def look_soon(self) -> None:
        """There is something to remove."""
        self._old_due = 0.0
        self._wanted.set()

    async def run(self) -> None:
        """Remove what has to go, once a minute and whenever `look_soon` was called, for ever."""
        while True:
            self._wanted.clear()
            try:
                await self.look()
            except VersionConflict:
                self.look_soon()  # somebody deleted one of the messages by hand meanwhile
            except (CampfireError, sqlite3.Error) as error:
                log.warning("removal_postponed", error=str(error))
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Remove everything that has to go by now."""
        directory = self._engine.directory
        for room in [room for room in directory.rooms.values() if room.deleted and not room.emptied]:
            await self._remove(queries.in_room(self._engine.read_models, room.id, _AT_ONCE), "room_deleted")
            at = self._engine.clock.now_ms()
            await self._record(NewEvent(room.id, room.version + 1, RoomEmptied(at=at, room_id=room.id)))
        for user in [user for user in directory.users.values() if user.must_lose_messages]:
            await self._remove(queries.by_author(self._engine.read_models, user.id, _AT_ONCE), "author_removed")
            at = self._engine.clock.now_ms()
            await self._record(NewEvent(user.id, user.version + 1, UserMessagesRemoved(at=at, user_id=user.id)))
        await self._remove_old()

    async def _remove_old(self) -> None:
        directory, now = self._engine.directory, self._engine.clock.monotonic()
        days = 0 if directory.account is None else directory.account.retention_days
        if not days or now < self._old_due:
            return
        self._old_due = now + _OLD_SECONDS
        before = self._engine.clock.now_ms() - days * _DAY_MS
        for room in [room for room in directory.rooms.values() if not room.deleted]:
            await self._remove(queries.older_than(self._engine.read_models, room.id, before, _AT_ONCE), "retention")

    async def _remove(self, pages: AsyncIterator[Sequence[StandingMessage]], reason: DeletionReason) -> None:
        async for page in pages:
            at = self._engine.clock.now_ms()
            await self._engine.append([removed(each.id, each.room_id, each.version, reason, at=at) for each in page])

    async def _record(self, event: NewEvent) -> None:
        await self._engine.append([event])
