"""The hub hands committed batches to whoever may see them, and catches up whoever was away.

A subscriber first reads the log up to `engine.position`, then becomes live. Both the position and
the set of live subscribers change only on the event loop, so the step from one to the other, taken
without an await between, can neither lose an event nor repeat one.
"""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Protocol

import msgspec
import structlog

from campfire.api.feed import frames
from campfire.api.feed.frames import EncodedEvent, Run
from campfire.domain.events import PresenceEntered, PresenceLeft, RecordedEvent, SessionEnded
from campfire.domain.public_view import Audience, audience_of
from campfire.engine import Engine
from campfire.eventlog.group_commit import CommittedBatch
from projections.queries import messages

MOST_REPLAYED = 10_000
"""Events; a client further behind is told to load its rooms anew, which is faster for both."""

_PAGE = 500
_HEARTBEAT_SECONDS = 25

log = structlog.get_logger()


class Subscriber(Protocol):
    """Somebody's open transport."""

    user_id: str
    session_id: str

    def begin(self, start: "Start") -> None:
        """Learn where the feed begins."""

    def deliver(self, runs: Sequence[Run]) -> None:
        """Take events, in order; must not wait."""

    def signal(self, frame: bytes) -> None:
        """Take a frame without a position (typing, presence, status)."""

    async def drained(self) -> None:
        """Wait until what was delivered has mostly left; while catching up."""

    def end(self, code: int, reason: str) -> None:
        """Close the transport soon, telling the client why (RFC 6455 section 7.4)."""


class Start(msgspec.Struct, frozen=True):
    """Where a feed begins: events follow after `position`, unless the client must `resync` first."""

    position: int
    epoch: str
    resync: bool


class FeedHub:
    """Knows every open transport of the feed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._live: dict[str, set[Subscriber]] = {}
        self._open: set[Subscriber] = set()
        self._heart: asyncio.Task[None] | None = None
        self.closing = False
        self.alarms = 0
        """Clients that held a position ahead of the log: each one says that history was lost."""
        engine.subscribers.append(self.publish)

    @property
    def epoch(self) -> str:
        return self._engine.epoch

    @property
    def connections(self) -> int:
        return len(self._open)

    def start(self) -> None:
        """Begin the heartbeat."""
        self._heart = asyncio.create_task(self._beat())

    async def attach(self, subscriber: Subscriber, since: int | None, epoch: str | None) -> None:
        """Open the feed from `since`, catch up with the log, go live. Detach when the transport ends."""
        start = self.start_of(since, epoch)
        self._open.add(subscriber)
        subscriber.begin(start)
        position = start.position
        while position < self._engine.position and subscriber in self._open:
            position, events = await self.read_visible(subscriber.user_id, position)
            if events:
                subscriber.deliver([Run(events)])
                await subscriber.drained()
        if subscriber in self._open:
            self._live.setdefault(subscriber.user_id, set()).add(subscriber)

    def detach(self, subscriber: Subscriber) -> None:
        """Forget a transport that has ended."""
        self._open.discard(subscriber)
        live = self._live.get(subscriber.user_id)
        if live is not None:
            live.discard(subscriber)
            if not live:
                del self._live[subscriber.user_id]

    def start_of(self, since: int | None, epoch: str | None) -> Start:
        """Where a client with this last position begins."""
        now = self._engine.position
        if since is None:
            return Start(now, self._engine.epoch, resync=False)
        if epoch is not None and epoch != self._engine.epoch:
            return Start(now, self._engine.epoch, resync=True)
        if since > now:
            self.alarms += 1
            log.error("client_ahead_of_log", client_position=since, position=now)
            return Start(now, self._engine.epoch, resync=True)
        if now - since > MOST_REPLAYED:
            return Start(now, self._engine.epoch, resync=True)
        return Start(since, self._engine.epoch, resync=False)

    async def read_visible(self, user_id: str, after: int) -> tuple[int, list[EncodedEvent]]:
        """One page of the log after a position: how far it went, and what of it the person may see now.

        The text of messages that were deleted since is left out.
        """
        events = await asyncio.to_thread(self._engine.reader.read, after, _PAGE, self._engine.position)
        visible = [recorded for recorded in events if self._may_see(user_id, recorded)]
        texts = {recorded.stream_id for recorded in visible if frames.holds_text(recorded)}
        gone = await messages.deleted_among(self._engine.read_models, texts) if texts else set()
        encoded = [
            EncodedEvent(recorded, without_text=frames.holds_text(recorded) and recorded.stream_id in gone)
            for recorded in visible
        ]
        return events[-1].position, encoded

    def publish(self, batch: CommittedBatch) -> None:
        """Hand a committed batch to everybody live, one write each."""
        if not self._live:
            return
        runs = self._runs(batch.events)
        if len(runs) == 1:
            recipients, run = runs[0]
            for subscriber in recipients:
                subscriber.deliver((run,))
        elif runs:
            pending: dict[Subscriber, list[Run]] = {}
            for recipients, run in runs:
                for subscriber in recipients:
                    pending.setdefault(subscriber, []).append(run)
            for subscriber, theirs in pending.items():
                subscriber.deliver(theirs)
        self._beside(batch.events)

    def signal_room(self, room_id: str, frame: bytes, *, but_user: str | None = None) -> None:
        """Send a frame without a position to a room's members who are here."""
        for subscriber in self._in_room(room_id):
            if subscriber.user_id != but_user:
                subscriber.signal(frame)

    def announce_status(self, facts: dict[str, Any]) -> None:
        """Tell everybody how the server is, and how far the log has come."""
        frame = frames.status(self._engine.position, facts)
        for subscriber in [each for live in self._live.values() for each in live]:
            subscriber.signal(frame)

    async def close(self) -> None:
        """Close every transport, so that clients come back to the next server with their positions."""
        self.closing = True
        if self._heart is not None:
            self._heart.cancel()
        for subscriber in tuple(self._open):
            subscriber.end(1012, "the server is restarting")

    def _runs(self, events: Iterable[RecordedEvent]) -> list[tuple[list[Subscriber], Run]]:
        """The batch as runs of events with the same audience, each with who gets it."""
        runs: list[tuple[list[Subscriber], Run]] = []
        last: Audience | None = None
        known: dict[Audience, list[Subscriber]] = {}
        for recorded in events:
            audience = audience_of(recorded.event)
            if audience.kind == "nobody":
                continue
            if audience == last and runs:
                runs[-1][1].events.append(EncodedEvent(recorded))
                continue
            recipients = known.get(audience)
            if recipients is None:
                recipients = known[audience] = self._recipients(audience)
            if recipients:
                runs.append((recipients, Run([EncodedEvent(recorded)])))
                last = audience
        return runs

    def _recipients(self, audience: Audience) -> list[Subscriber]:
        if audience.kind == "room":
            found = self._in_room(audience.id or "")
            also = audience.also_user
            if also is not None and not self._engine.directory.is_member(audience.id or "", also):
                found = [*found, *self._live.get(also, ())]
            return found
        if audience.kind == "user":
            return list(self._live.get(audience.id or "", ()))
        users = self._engine.directory.users
        return [
            subscriber
            for user_id, live in self._live.items()
            if audience.kind == "everyone" or users[user_id].role == "administrator"
            for subscriber in live
        ]

    def _in_room(self, room_id: str) -> list[Subscriber]:
        room = self._engine.directory.rooms.get(room_id)
        if room is None:
            return []
        live = self._live
        # Whichever is smaller: a great imported room has many members and few connections.
        here = room.members & live.keys() if len(room.members) > len(live) else room.members
        return [subscriber for user_id in here if user_id in live for subscriber in live[user_id]]

    def _may_see(self, user_id: str, recorded: RecordedEvent) -> bool:
        audience = audience_of(recorded.event)
        directory = self._engine.directory
        if audience.kind == "room":
            return audience.also_user == user_id or directory.is_member(audience.id or "", user_id)
        if audience.kind == "user":
            return audience.id == user_id
        if audience.kind == "administrators":
            return directory.users[user_id].role == "administrator"
        return audience.kind == "everyone"

    def _beside(self, events: Iterable[RecordedEvent]) -> None:
        """What goes beside the feed: presence, and the end of a session's transports."""
        for recorded in events:
            event = recorded.event
            if isinstance(event, (PresenceEntered, PresenceLeft)):
                present = isinstance(event, PresenceEntered)
                self.signal_room(event.room_id, frames.presence(event.room_id, event.user_id, present=present))
            elif isinstance(event, SessionEnded):
                for subscriber in [each for each in self._open if each.session_id == event.session_id]:
                    subscriber.end(4401, "the session has ended")

    async def _beat(self) -> None:
        """Tell everybody the position now and then: it keeps connections open through proxies, and lets
        a client in quiet rooms resume from near the tip. In slices, so that nobody's message waits."""
        while True:
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            frame = frames.status(self._engine.position, {})
            everybody = iter([each for live in self._live.values() for each in live])
            while some := list(islice(everybody, 200)):
                for subscriber in some:
                    subscriber.signal(frame)
                await asyncio.sleep(0)
