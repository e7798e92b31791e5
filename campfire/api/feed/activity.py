"""Presence, typing and reading: coalesced before anything of it reaches the log."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from campfire.api.feed import frames
from campfire.api.feed.connected import Connected
from campfire.api.feed.hub import FeedHub
from campfire.api.feed.leases import Lease
from campfire.api.feed.presences import Place, Presences
from campfire.api.feed.typing import Typing
from campfire.domain.events import Event, MemberRemoved, MessagePosted, PresenceEntered
from campfire.domain.reading import decide_read
from campfire.domain.rooms import readable_room
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.eventlog.group_commit import CommittedBatch

_SWEEP_SECONDS = 0.5
_READ_SECONDS = 1.0

log = structlog.get_logger()


class Activity:
    """One for the server: who is present where, who is connected, who types, and who has read how far."""

    def __init__(self, engine: Engine, hub: FeedHub) -> None:
        self._engine = engine
        self._hub = hub
        self.presences = Presences(engine)
        self.connected = Connected(engine, hub)
        self.typing = Typing(engine, hub)
        self._read_upto: dict[Place, int] = {}
        self._flushes: set[asyncio.Task[None]] = set()
        self._followers: dict[type[Event], Callable[[Any], None]] = {
            MessagePosted: self._posted,
            MemberRemoved: self._removed,
            PresenceEntered: self._entered,
        }
        engine.subscribers.append(self._follow)

    async def run(self) -> None:
        """Sweep twice a second, for ever."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                await self.sweep()
            except Exception:
                # A defect met at one place must not leave everybody else present and typing for ever.
                log.exception("activity_sweep_failed")

    async def sweep(self) -> None:
        """End what is over by now: silent connections, leases, typing; and tell who came and went."""
        self._hub.end_silent()
        self.typing.sweep()
        for place in await self.presences.sweep():
            self.typing.over(place)
        await self.connected.sweep()

    async def leave(self, lease: Lease, room_id: str) -> None:
        """As `Presences.leave`; whoever has the room open nowhere does not type there either."""
        await self.presences.leave(lease, room_id)
        if not self.presences.is_inside((room_id, lease.user_id)):
            self.typing.over((room_id, lease.user_id))

    async def leave_over_http(self, user_id: str, session_id: str, room_id: str) -> None:
        """As `Presences.leave_over_http`, with the same for typing."""
        await self.presences.leave_over_http(user_id, session_id, room_id)
        if not self.presences.is_inside((room_id, user_id)):
            self.typing.over((room_id, user_id))

    def break_off(self, lease: Lease) -> None:
        """A connection has ended, and is no subscriber any more."""
        self.presences.break_off(lease)
        if lease.user_id not in self._hub.people:
            self.typing.over_everywhere(lease.user_id)

    def read(self, room_id: str, user_id: str, position: int) -> None:
        """Remember how far somebody has read; the furthest of each second is recorded.

        Raises `RoomNotFound`, `RoomAccessDenied`.
        """
        readable_room(self._engine.directory, room_id, user_id)
        known = self._read_upto.get((room_id, user_id))
        self._read_upto[room_id, user_id] = max(min(position, self._engine.position), known or 0)
        if known is None:
            flush = asyncio.create_task(self._record_soon(room_id, user_id))
            self._flushes.add(flush)
            flush.add_done_callback(self._flushes.discard)

    async def close(self) -> None:
        """Record what is waiting, and that everybody has left."""
        for flush in self._flushes:
            flush.cancel()
        await asyncio.gather(*self._flushes, return_exceptions=True)
        for room_id, user_id in tuple(self._read_upto):
            await self._record_read(room_id, user_id)
        await self.presences.close()

    def _follow(self, batch: CommittedBatch) -> None:
        for recorded in batch.events:
            follow = self._followers.get(type(recorded.event))
            if follow is not None:
                follow(recorded.event)

    def _posted(self, event: MessagePosted) -> None:
        self.typing.over((event.room_id, event.author_id))

    def _removed(self, event: MemberRemoved) -> None:
        place = event.room_id, event.user_id
        self.typing.over(place)
        if self.presences.expel(place):
            self._hub.signal_room(event.room_id, frames.presence(event.room_id, event.user_id, present=False))

    def _entered(self, event: PresenceEntered) -> None:
        self.presences.doubt((event.room_id, event.user_id))

    async def _record_soon(self, room_id: str, user_id: str) -> None:
        await asyncio.sleep(_READ_SECONDS)
        await self._record_read(room_id, user_id)

    async def _record_read(self, room_id: str, user_id: str) -> None:
        engine = self._engine
        position = self._read_upto.pop((room_id, user_id))
        if not engine.directory.is_member(room_id, user_id):
            return
        try:
            await engine.perform(
                lambda: decide_read(
                    engine.directory, room_id=room_id, user_id=user_id, position=position, at=engine.clock.now_ms()
                )
            )
        except CampfireError as error:
            # Nobody waits for this, and a lost mark only makes the room show as unread again.
            log.warning("read_position_not_recorded", room_id=room_id, code=error.code)
