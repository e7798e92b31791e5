"""Presence, typing and reading: coalesced before anything of it reaches the log."""

import asyncio
from weakref import WeakValueDictionary

import structlog

from campfire.api.feed import frames
from campfire.api.feed.hub import FeedHub
from campfire.domain.events import NewEvent
from campfire.domain.presence import decide_enter, decide_leave
from campfire.domain.reading import decide_read
from campfire.domain.rooms import readable_room
from campfire.engine import Engine
from campfire.errors import CampfireError

_TYPING_SECONDS = 1.0
_READ_SECONDS = 1.0
_MOST_TYPING = 10_000

Place = tuple[str, str]
"""A room and a person in it."""

log = structlog.get_logger()


class Activity:
    """One for the server: knows which connections are in rooms, so that a person with three tabs enters once."""

    def __init__(self, engine: Engine, hub: FeedHub) -> None:
        self._engine = engine
        self._hub = hub
        self._inside: dict[Place, set[object]] = {}
        self._settling: WeakValueDictionary[Place, asyncio.Lock] = WeakValueDictionary()
        self._typing: dict[Place, tuple[float, bool]] = {}
        """When the others were last told that somebody types, and whether they still think so."""
        self._read_upto: dict[Place, int] = {}
        self._flushes: set[asyncio.Task[None]] = set()

    async def enter(self, connection: object, room_id: str, user_id: str) -> None:
        """Somebody opened a room on one of their connections; the first one is an event.

        Raises `RoomNotFound`, `RoomAccessDenied`, and what `Engine.append` raises.
        """
        readable_room(self._engine.directory, room_id, user_id)
        self._inside.setdefault((room_id, user_id), set()).add(connection)
        try:
            await self._settle(room_id, user_id)
        except BaseException:
            self._step_out(connection, room_id, user_id)
            raise

    async def leave(self, connection: object, room_id: str, user_id: str) -> None:
        """One of the person's connections left the room; the last one is an event."""
        if connection in self._inside.get((room_id, user_id), ()):
            self._step_out(connection, room_id, user_id)
            await self._settle(room_id, user_id)

    async def leave_at_end(self, connection: object, room_id: str, user_id: str) -> None:
        """As `leave`, for a connection that has gone, so that nobody is there to be told of an error."""
        try:
            await self.leave(connection, room_id, user_id)
        except CampfireError as error:
            # The log cannot take it now (stopping, or a full disk); the next start closes every presence.
            log.warning("leaving_not_recorded", room_id=room_id, code=error.code)

    def typing(self, room_id: str, user_id: str, *, is_typing: bool) -> None:
        """Tell the others, at most once a second, that somebody types, and then that they stopped.

        Raises `RoomNotFound`, `RoomAccessDenied`.
        """
        directory = self._engine.directory
        readable_room(directory, room_id, user_id)
        now = self._engine.clock.monotonic()
        told_at, still = self._typing.get((room_id, user_id), (-_TYPING_SECONDS, False))
        if (now - told_at < _TYPING_SECONDS) if is_typing else not still:
            return
        if len(self._typing) >= _MOST_TYPING:
            self._typing.clear()  # at worst somebody is announced twice within a second
        self._typing[room_id, user_id] = (now if is_typing else told_at, is_typing)
        signal = frames.typing(room_id, user_id, directory.users[user_id].name, is_typing=is_typing)
        self._hub.signal_room(room_id, signal, but_user=user_id)

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
        """Record what is waiting."""
        for flush in self._flushes:
            flush.cancel()
        await asyncio.gather(*self._flushes, return_exceptions=True)
        for room_id, user_id in tuple(self._read_upto):
            await self._record_read(room_id, user_id)

    async def _settle(self, room_id: str, user_id: str) -> None:
        """Make the record agree with who is inside.

        One at a time for each person and room: a tab that opens while the last one's leaving is being
        committed would otherwise find the person still present, and end up inside but not on record.
        """
        lock = self._settling.setdefault((room_id, user_id), asyncio.Lock())
        async with lock:
            await self._engine.perform(lambda: self._decide_presence(room_id, user_id))

    def _decide_presence(self, room_id: str, user_id: str) -> list[NewEvent]:
        directory = self._engine.directory
        is_inside = (room_id, user_id) in self._inside and directory.is_member(room_id, user_id)
        decide = decide_enter if is_inside else decide_leave
        return decide(directory, room_id=room_id, user_id=user_id, at=self._engine.clock.now_ms())

    def _step_out(self, connection: object, room_id: str, user_id: str) -> None:
        connections = self._inside.get((room_id, user_id), set())
        connections.discard(connection)
        if not connections:
            self._inside.pop((room_id, user_id), None)

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
