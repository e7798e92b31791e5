"""The hub hands committed batches to whoever may see them, and catches up whoever was away."""

import asyncio
from collections.abc import Iterable, Set
from itertools import chain, islice
from typing import Any

import structlog

from campfire.api.feed import frames
from campfire.api.feed.cursor import Cursor, LastSeen, Start, is_ahead, start_of
from campfire.api.feed.dealing import dealt
from campfire.api.feed.frames import EncodedEvent, Signal
from campfire.api.feed.subscriber import (
    INTERNAL_ERROR,
    NO_SIGN_OF_LIFE,
    RESTARTING,
    SESSION_ENDED,
    SLOW_CONSUMER,
    Subscriber,
)
from campfire.domain.events import (
    BotKeySet,
    PresenceEntered,
    PresenceLeft,
    RecordedEvent,
    SessionEnded,
    UserDeactivated,
    UserRemoved,
)
from campfire.domain.public_view import Audience, audience_of
from campfire.engine import Engine
from campfire.eventlog.group_commit import CommittedBatch

_HEARTBEAT_SECONDS = 20
_ALARM_SECONDS = 3600
_PATIENCE_SECONDS = 30
"""For a client that reads nothing while it is being caught up."""
_RUN_BYTES = 512 * 1024
_SLICE = 200

log = structlog.get_logger()


class FeedHub:
    """Knows every open transport of the feed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._live: dict[str, set[Subscriber]] = {}
        self._open: dict[str, set[Subscriber]] = {}
        """By session, or by what stands for one (`BotState.key_id`), whether live or catching up."""
        self._heart: asyncio.Task[None] | None = None
        self.closing = False
        self.alarms = 0
        """Clients that held a position ahead of the log: each one says that history was lost."""
        self._alarmed_at: float | None = None
        engine.subscribers.append(self.publish)

    @property
    def epoch(self) -> str:
        return self._engine.epoch

    @property
    def position(self) -> int:
        return self._engine.position

    @property
    def is_alarmed(self) -> bool:
        """Whether a client ahead of the log came within the last hour."""
        at = self._alarmed_at
        return at is not None and self._engine.clock.monotonic() - at < _ALARM_SECONDS

    @property
    def connections(self) -> int:
        return sum(map(len, self._open.values()))

    @property
    def people(self) -> Set[str]:
        """The ids of those who are live now."""
        return self._live.keys()

    def start(self) -> None:
        """Begin the heartbeat."""
        self._heart = asyncio.create_task(self._keep_beating())

    def start_of(self, last: LastSeen) -> Start:
        """Where a client begins; one that is ahead of the log raises the alarm."""
        if is_ahead(self._engine, last):
            self.alarms += 1
            self._alarmed_at = self._engine.clock.monotonic()
            log.error("client_ahead_of_log", client_position=last.position, position=self._engine.position)
        return start_of(self._engine, last)

    def attach(self, subscriber: Subscriber, start: Start) -> Cursor:
        """Open the feed; it is live at once unless the cursor must `catch_up`. Detach when the transport ends."""
        self._open.setdefault(subscriber.session_id, set()).add(subscriber)
        cursor = Cursor(self._engine, subscriber.user_id, start.position)
        subscriber.begin(start)
        if self.closing:
            subscriber.end(RESTARTING, "restarting")
        elif not self._engine.directory.lets_in(subscriber.user_id, subscriber.session_id):
            # It ended between the request and now, when there was nothing here yet to be closed.
            subscriber.end(SESSION_ENDED, "SESSION_EXPIRED")
        elif cursor.at_tip:
            self._go_live(subscriber)
        return cursor

    async def catch_up(self, subscriber: Subscriber, cursor: Cursor) -> None:
        """Deliver what the log holds up to its tip, then go live."""
        try:
            while not cursor.at_tip and self._is_open(subscriber):
                for run in frames.runs_of(await cursor.read_page(), _RUN_BYTES):
                    subscriber.deliver(run)
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        await subscriber.drained()
            if self._is_open(subscriber):
                self._go_live(subscriber)
        except TimeoutError:
            subscriber.end(SLOW_CONSUMER, "SLOW_CONSUMER")
        except Exception:
            # A silent connection would look like a quiet room: end it, so that the client notices.
            log.exception("feed_catch_up_failed", position=cursor.position)
            subscriber.end(INTERNAL_ERROR, "INTERNAL_ERROR")

    def detach(self, subscriber: Subscriber) -> None:
        """Forget a transport that has ended."""
        _discard(self._open, subscriber.session_id, subscriber)
        _discard(self._live, subscriber.user_id, subscriber)

    def publish(self, batch: CommittedBatch) -> None:
        """Hand a committed batch to everybody live, one write each; then what goes beside it."""
        if not self._open:
            return
        try:
            for recipients, run in dealt(self._by_audience(batch.events), self._recipients):
                for subscriber in recipients:
                    try:
                        subscriber.deliver(run)
                    except Exception:
                        log.exception("feed_delivery_failed", position=batch.tip.position)
                        subscriber.end(INTERNAL_ERROR, "INTERNAL_ERROR")
            self._beside(batch.events)
        except Exception:
            # Nobody may go on as if the batch had not been: they come back and read it from the log.
            self._end_all(INTERNAL_ERROR, "INTERNAL_ERROR")
            raise

    def signal_room(self, room_id: str, signal: Signal, *, but_user: str | None = None) -> None:
        """Send a frame without a position to a room's members who are here."""
        for subscriber in self._in_room(room_id):
            if subscriber.user_id != but_user:
                subscriber.signal(signal)

    def announce_status(self, facts: dict[str, Any]) -> None:
        """Tell everybody how the server is, and how far the log has come."""
        signal = frames.status(self._engine.position, facts)
        for subscriber in self._everybody():
            subscriber.signal(signal)

    async def signal_everybody(self, signal: Signal) -> None:
        """Send a frame without a position to all, in slices, so that nobody's message waits."""
        everybody = self._everybody()
        for start in range(0, len(everybody), _SLICE):
            for subscriber in everybody[start : start + _SLICE]:
                subscriber.signal(signal)
            await asyncio.sleep(0)

    def end_silent(self) -> None:
        """Close the transports whose other side has shown no sign of life for too long."""
        now = self._engine.clock.monotonic()
        for subscriber in self._everybody():
            if subscriber.is_silent(now):
                subscriber.end(NO_SIGN_OF_LIFE, "NO_SIGN_OF_LIFE")

    async def close(self) -> None:
        """Close every transport, so that clients come back to the next server with their positions."""
        self.closing = True
        if self._heart is not None:
            self._heart.cancel()
        self._end_all(RESTARTING, "restarting")

    def _go_live(self, subscriber: Subscriber) -> None:
        self._live.setdefault(subscriber.user_id, set()).add(subscriber)

    def _is_open(self, subscriber: Subscriber) -> bool:
        return subscriber in self._open.get(subscriber.session_id, ())

    def _everybody(self) -> list[Subscriber]:
        return list(chain.from_iterable(self._live.values()))

    def _end_all(self, code: int, reason: str) -> None:
        for subscriber in list(chain.from_iterable(self._open.values())):
            subscriber.end(code, reason)

    def _by_audience(self, events: Iterable[RecordedEvent]) -> dict[Audience, list[EncodedEvent]]:
        seen: dict[Audience, list[EncodedEvent]] = {}
        for recorded in events:
            audience = self._reach(recorded)
            if audience.kind != "nobody":
                seen.setdefault(audience, []).append(EncodedEvent(recorded))
        return seen

    def _reach(self, recorded: RecordedEvent) -> Audience:
        """The event's audience, without a further person who is away or in the room anyway."""
        audience = audience_of(recorded.event)
        also = audience.also_user
        if also is not None and (also not in self._live or self._engine.directory.is_member(audience.id or "", also)):
            return Audience(audience.kind, audience.id)
        return audience

    def _recipients(self, audience: Audience) -> list[Subscriber]:
        if audience.kind == "room":
            return [*self._in_room(audience.id or ""), *self._live.get(audience.also_user or "", ())]
        if audience.kind == "user":
            return list(self._live.get(audience.id or "", ()))
        if audience.kind == "everyone":
            return self._everybody()
        users = self._engine.directory.users
        return [each for each in self._everybody() if users[each.user_id].role == "administrator"]

    def _in_room(self, room_id: str) -> list[Subscriber]:
        room = self._engine.directory.rooms.get(room_id)
        if room is None:
            return []
        live = self._live
        # Whichever is smaller: a great imported room has many members and few connections.
        here = room.members & live.keys() if len(room.members) > len(live) else room.members
        return [subscriber for user_id in here if user_id in live for subscriber in live[user_id]]

    def _beside(self, events: Iterable[RecordedEvent]) -> None:
        """Presence, and the end of what was opened by a session or key that has ended."""
        for recorded in events:
            event = recorded.event
            if isinstance(event, (PresenceEntered, PresenceLeft)):
                present = isinstance(event, PresenceEntered)
                self.signal_room(event.room_id, frames.presence(event.room_id, event.user_id, present=present))
            elif isinstance(event, SessionEnded):
                for subscriber in list(self._open.get(event.session_id, ())):
                    subscriber.end(SESSION_ENDED, "SESSION_EXPIRED")
            elif isinstance(event, (BotKeySet, UserDeactivated, UserRemoved)):
                self._end_shut_out_bots()

    def _end_shut_out_bots(self) -> None:
        """End what was opened by a key that lets nobody in any more. Bots have no sessions that could end."""
        directory = self._engine.directory
        for subscriber in list(chain.from_iterable(self._open.values())):
            user_id = subscriber.user_id
            if user_id in directory.bots and not directory.lets_in(user_id, subscriber.session_id):
                subscriber.end(SESSION_ENDED, "SESSION_EXPIRED")

    async def beat(self) -> None:
        """Tell everybody the position: it keeps connections open through proxies, lets a client in quiet rooms
        resume from near the tip, and asks who is still there. In slices, so that nobody's message waits."""
        everybody = iter(self._everybody())
        while some := list(islice(everybody, _SLICE)):
            # Anew for each slice: it must not tell a client less than it has seen meanwhile.
            heartbeat = frames.heartbeat(self._engine.position)
            for subscriber in some:
                subscriber.beat(heartbeat)
            await asyncio.sleep(0)

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            await self.beat()


def _discard(places: dict[str, set[Subscriber]], key: str, subscriber: Subscriber) -> None:
    found = places.get(key)
    if found is not None:
        found.discard(subscriber)
        if not found:
            del places[key]
