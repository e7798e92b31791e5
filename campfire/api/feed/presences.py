"""Who has which room open, by leases; a person with three tabs enters once, and leaves once."""

import asyncio
from weakref import WeakValueDictionary

import structlog

from campfire.api.feed.leases import Lease
from campfire.domain.events import NewEvent
from campfire.domain.presence import decide_enter, decide_leave
from campfire.domain.rooms import readable_room
from campfire.engine import Engine
from campfire.errors import CampfireError

Place = tuple[str, str]
"""A room and a person in it."""

_SETTLED_AT_ONCE = 500
"""Places whose leaving goes into the log side by side; a commit's worth."""
_TRY_AGAIN_SECONDS = 5
"""After the log could not take a leaving."""

log = structlog.get_logger()


class Presences:
    """Makes the record agree with the leases. Bounded by them, and so by connections, sessions and memberships."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._inside: dict[Place, set[Lease]] = {}
        self._leases: set[Lease] = set()
        """Those that hold a room."""
        self._over_http: dict[tuple[str, str], Lease] = {}
        """By session and room: one that is no longer renewed keeps no other from ending."""
        self._seen: dict[Place, int] = {}
        """How far those had seen who stepped out of a place that may be occupied still."""
        self._unsettled: set[Place] = set()
        """Where the record may say something else; settled by the next sweep."""
        self._settle_again_at = float("-inf")
        self._settling: WeakValueDictionary[Place, asyncio.Lock] = WeakValueDictionary()

    async def enter(self, lease: Lease, room_id: str) -> None:
        """Somebody opened a room; their first lease on it is an event.

        Raises `RoomNotFound`, `RoomAccessDenied`, and what `Engine.append` raises.
        """
        readable_room(self._engine.directory, room_id, lease.user_id)
        place = room_id, lease.user_id
        lease.rooms.add(room_id)
        self._leases.add(lease)
        self._inside.setdefault(place, set()).add(lease)
        try:
            await self._settle(place)
        except BaseException:
            self._step_out(lease, room_id)
            raise

    async def leave(self, lease: Lease, room_id: str) -> None:
        """One of the person's leases let go of the room; the last one is an event. Raises what `Engine.append` does."""
        if room_id in lease.rooms:
            self._step_out(lease, room_id)
            await self._settle((room_id, lease.user_id))

    async def enter_over_http(self, user_id: str, session_id: str, room_id: str) -> None:
        """Enter, or renew the session's lease on the room. Raises as `enter`."""
        readable_room(self._engine.directory, room_id, user_id)
        now, position = self._engine.clock.monotonic(), self._engine.position
        lease = self._over_http.get((session_id, room_id))
        if lease is None or lease.is_over(now):
            lease = Lease(user_id, session_id, now=now, position=position)
        lease.heard(now, position)
        self._over_http[session_id, room_id] = lease
        await self.enter(lease, room_id)

    async def leave_over_http(self, user_id: str, session_id: str, room_id: str) -> None:
        """Raises `RoomNotFound`, `RoomAccessDenied`, and what `Engine.append` raises."""
        readable_room(self._engine.directory, room_id, user_id)
        lease = self._over_http.get((session_id, room_id))
        if lease is not None:
            lease.heard(self._engine.clock.monotonic(), self._engine.position)
            await self.leave(lease, room_id)

    def break_off(self, lease: Lease) -> None:
        """The lease's connection ended; the person may be back in a moment."""
        lease.broke(self._engine.clock.monotonic())

    def is_inside(self, place: Place) -> bool:
        return place in self._inside

    def expel(self, place: Place) -> bool:
        """Somebody is no member any more, which ended their presence on record; whether there was one."""
        leases = self._inside.pop(place, set())
        for lease in leases:
            self._let_go(lease, place[0])
        self._seen.pop(place, None)
        return bool(leases)

    def doubt(self, place: Place) -> None:
        """The record says that somebody entered; if they are no longer there, the next sweep says so."""
        if place not in self._inside:
            self._unsettled.add(place)

    async def sweep(self) -> list[Place]:
        """End the leases that are over, put it on record, and return which places nobody holds any more."""
        now, lets_in = self._engine.clock.monotonic(), self._engine.directory.lets_in
        # With its session, or a bot's key, a lease ends without a grace.
        over = [each for each in self._leases if each.is_over(now) or not lets_in(each.user_id, each.session_id)]
        for lease in over:
            for room_id in tuple(lease.rooms):
                self._step_out(lease, room_id)
        places = list(self._unsettled)
        if now >= self._settle_again_at:
            for start in range(0, len(places), _SETTLED_AT_ONCE):
                await self._settle_all(places[start : start + _SETTLED_AT_ONCE])
        return [place for place in places if place not in self._inside]

    async def close(self) -> None:
        """Everybody leaves."""
        for lease in self._leases:
            lease.end()
        self._settle_again_at = float("-inf")
        await self.sweep()

    async def _settle_all(self, places: list[Place]) -> None:
        for outcome in await asyncio.gather(*map(self._settle, places), return_exceptions=True):
            if isinstance(outcome, CampfireError):
                # The log cannot take it now (a full disk, say): it is tried again, or is the next start's to close.
                self._settle_again_at = self._engine.clock.monotonic() + _TRY_AGAIN_SECONDS
                log.warning("presence_not_recorded", code=outcome.code, places=len(places))
                return
            if isinstance(outcome, BaseException):
                raise outcome

    async def _settle(self, place: Place) -> None:
        """Make the record agree with who is inside.

        One at a time for each person and room: a tab that opens while the last one's leaving is being
        committed would otherwise find the person still present, and end up inside but not on record.
        """
        lock = self._settling.setdefault(place, asyncio.Lock())
        async with lock:
            self._unsettled.discard(place)
            try:
                await self._engine.perform(lambda: self._decide(place))
            except BaseException:
                self._unsettled.add(place)
                raise
            if place not in self._inside:
                self._seen.pop(place, None)

    def _decide(self, place: Place) -> list[NewEvent]:
        engine, (room_id, user_id) = self._engine, place
        at = engine.clock.now_ms()
        if place in self._inside and engine.directory.is_member(room_id, user_id):
            return decide_enter(engine.directory, room_id=room_id, user_id=user_id, seen=engine.position, at=at)
        seen = self._seen.get(place, 0)
        return decide_leave(engine.directory, room_id=room_id, user_id=user_id, seen=seen, at=at)

    def _step_out(self, lease: Lease, room_id: str) -> None:
        place = room_id, lease.user_id
        self._let_go(lease, room_id)
        self._unsettled.add(place)
        self._seen[place] = max(self._seen.get(place, 0), lease.seen)
        leases = self._inside.get(place, set())
        leases.discard(lease)
        if not leases:
            self._inside.pop(place, None)

    def _let_go(self, lease: Lease, room_id: str) -> None:
        lease.rooms.discard(room_id)
        if not lease.rooms:
            self._leases.discard(lease)
        if self._over_http.get((lease.session_id, room_id)) is lease:
            del self._over_http[lease.session_id, room_id]
