"""Presence, typing and reading: coalesced before anything of it reaches the log."""

import asyncio
from collections import Counter

import structlog

from campfire.api.feed import frames
from campfire.api.feed.hub import FeedHub
from campfire.domain.presence import decide_enter, decide_leave
from campfire.domain.reading import decide_read
from campfire.domain.rooms import readable_room
from campfire.engine import Engine
from campfire.errors import CampfireError

_TYPING_SECONDS = 1.0
_READ_SECONDS = 1.0

log = structlog.get_logger()


class Activity:
    """One for the server: counts connections in rooms, so that a person with three tabs enters once."""

    def __init__(self, engine: Engine, hub: FeedHub) -> None:
        self._engine = engine
        self._hub = hub
        self._open_tabs: Counter[tuple[str, str]] = Counter()
        self._typed_at: dict[tuple[str, str], float] = {}
        self._read_upto: dict[tuple[str, str], int] = {}
        self._flushes: set[asyncio.Task[None]] = set()

    async def enter(self, room_id: str, user_id: str) -> None:
        """Raises `RoomNotFound`, `RoomAccessDenied`."""
        engine = self._engine
        readable_room(engine.directory, room_id, user_id)
        self._open_tabs[room_id, user_id] += 1
        await engine.perform(
            lambda: decide_enter(engine.directory, room_id=room_id, user_id=user_id, at=engine.clock.now_ms())
        )

    async def leave(self, room_id: str, user_id: str) -> None:
        """One of the person's connections left the room; the last one is an event."""
        engine = self._engine
        self._open_tabs[room_id, user_id] -= 1
        if self._open_tabs[room_id, user_id] > 0:
            return
        del self._open_tabs[room_id, user_id]
        await engine.perform(
            lambda: decide_leave(engine.directory, room_id=room_id, user_id=user_id, at=engine.clock.now_ms())
        )

    def typing(self, room_id: str, user_id: str, *, is_typing: bool) -> None:
        """Tell the others, at most once a second that somebody types. Raises `RoomNotFound`, `RoomAccessDenied`."""
        directory = self._engine.directory
        readable_room(directory, room_id, user_id)
        now = self._engine.clock.monotonic()
        if is_typing and now - self._typed_at.get((room_id, user_id), -_TYPING_SECONDS) < _TYPING_SECONDS:
            return
        if is_typing:
            self._typed_at[room_id, user_id] = now
        else:
            self._typed_at.pop((room_id, user_id), None)
        name = directory.users[user_id].name
        frame = frames.typing(room_id, user_id, name, is_typing=is_typing)
        self._hub.signal_room(room_id, frame, but_user=user_id)

    def read(self, room_id: str, user_id: str, position: int) -> None:
        """Remember how far somebody has read; the furthest of each second is recorded.

        Raises `RoomNotFound`, `RoomAccessDenied`.
        """
        readable_room(self._engine.directory, room_id, user_id)
        position = min(position, self._engine.position)
        known = self._read_upto.get((room_id, user_id))
        self._read_upto[room_id, user_id] = max(position, known or 0)
        if known is None:
            flush = asyncio.create_task(self._record_read(room_id, user_id))
            self._flushes.add(flush)
            flush.add_done_callback(self._flushes.discard)

    async def close(self) -> None:
        """Record what is waiting."""
        for flush in tuple(self._flushes):
            flush.cancel()
        await asyncio.gather(*self._flushes, return_exceptions=True)

    async def _record_read(self, room_id: str, user_id: str) -> None:
        engine = self._engine
        try:
            await asyncio.sleep(_READ_SECONDS)
        finally:
            position = self._read_upto.pop((room_id, user_id))
            if engine.directory.is_member(room_id, user_id):
                try:
                    await engine.perform(
                        lambda: decide_read(
                            engine.directory,
                            room_id=room_id,
                            user_id=user_id,
                            position=position,
                            at=engine.clock.now_ms(),
                        )
                    )
                except CampfireError as error:
                    # Nobody waits for this, and a lost mark only makes the room show as unread again.
                    log.warning("read_position_not_recorded", room_id=room_id, code=error.code)
