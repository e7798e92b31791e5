"""Following the log: a page at a time into `outbox.db`, each in one transaction with the cursor."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator

from campfire.domain import events as happened
from campfire.domain.events import RecordedEvent
from campfire.eventlog.reader import LogReader, Tip
from outbox import bots, endpoints, moves, queueing, replays, withdrawing
from outbox.ledger import Ledger
from outbox.planning import Endpoint, Planned, calls_planned, plan
from outbox.push import planning as push_planning
from outbox.rendering import Renderer

MOST_AT_ONCE = 1_000
"""Deliveries planned in one transaction, about: results of others wait for it, for some 100 ms."""


class Planner:
    """Follows the log and writes deliveries, endpoint changes and the cursor in one transaction a page."""

    def __init__(
        self,
        ledger: Ledger,
        reader: LogReader,
        renderer: Renderer,
        now_ms: Callable[[], int],
        push_ttl: float = 86_400,
    ) -> None:
        self._ledger = ledger
        self._reader = reader
        self._renderer = renderer
        self._now_ms = now_ms
        self._push_ttl_ms = round(push_ttl * 1000)
        self._endpoints: list[Endpoint] | None = None
        self._following = MOST_AT_ONCE  # endpoints, as they were counted last
        self._imported_upto = reader.imported_upto()

    def look_again(self) -> None:
        """Somebody else changed an endpoint: ask for them all before the next page is planned."""
        self._endpoints = None

    def pages(self, events: list[RecordedEvent]) -> Iterator[list[RecordedEvent]]:
        """What to `take` one after another: each as much as makes `MOST_AT_ONCE` if everybody wants everything."""
        begin = 0
        while begin < len(events):
            end = begin + max(1, MOST_AT_ONCE // max(1, self._following))
            yield events[begin:end]
            begin = end

    async def take(self, events: list[RecordedEvent]) -> set[str]:
        """Turn a page of the log into deliveries, durably; return the endpoints that have something to do."""
        tip, is_behind = await asyncio.to_thread(self._place_of, events[-1].position)
        calls: dict[int, Planned] = {}
        if any(isinstance(recorded.event, happened.BotCalled) for recorded in events):
            calls = await asyncio.to_thread(calls_planned, events, self._reader, tip.epoch)
        woken: set[str] = set()
        wanted: set[int] = set()  # positions that somebody is sent

        def step(connection: sqlite3.Connection) -> None:
            for recorded in events:
                woken.update(self._take_one(connection, recorded, tip.epoch, wanted))
                is_past = recorded.position <= self._imported_upto
                ttl_ms = 0 if is_past else self._push_ttl_ms  # nothing that was brought in is news
                push_planning.take(connection, recorded, now=self._now_ms(), ttl_ms=ttl_ms)
                call = None if is_past else calls.get(recorded.position)
                if call is not None and bots.is_callable(connection, call.endpoint_id):
                    queueing.insert(connection, [call], self._now_ms())
                    woken.add(call.endpoint_id)
            connection.execute(
                "INSERT OR REPLACE INTO cursor (id, position, chain, epoch) VALUES (1, ?, ?, ?)",
                (tip.position, tip.chain, tip.epoch),
            )

        scrubs = any(isinstance(recorded.event, happened.MessageScrubbed) for recorded in events)
        try:
            await self._ledger.write(step, forgets=scrubs)
        except BaseException:
            self.look_again()  # what was learnt of endpoints was rolled back
            raise
        self._renderer.keep(recorded for recorded in events if recorded.position in wanted)
        self._renderer.forget(
            recorded.event.message_id for recorded in events if isinstance(recorded.event, happened.MessageDeleted)
        )
        self._renderer.is_behind = is_behind
        return woken

    def _place_of(self, position: int) -> tuple[Tip, bool]:
        """What the cursor is to hold at `position`, and whether the log went on meanwhile."""
        tip = self._reader.tip_at(position)
        return tip, self._reader.tip().position > position

    def _take_one(
        self, connection: sqlite3.Connection, recorded: RecordedEvent, epoch: str, wanted: set[int]
    ) -> set[str]:
        event, now = recorded.event, self._now_ms()
        woken: set[str] = set()
        changed = endpoints.take(connection, recorded, now)
        if changed is not None:
            self.look_again()
            woken.add(changed)
        elif isinstance(event, happened.WebhookCursorMoved):
            if recorded.position > self._imported_upto:  # whoever moved it was not here
                moves.take(connection, event, recorded.position, now)
                self.look_again()
        elif isinstance(event, happened.MessageDeleted | happened.MessageScrubbed):
            withdrawing.withdraw(connection, event.message_id, now)
        elif isinstance(event, happened.RoomDeleted):
            withdrawing.close_room(connection, event.room_id, now)
        elif isinstance(event, happened.DeliveryReplayRequested):
            return replays.replay(connection, event, now)
        elif isinstance(event, happened.DeliveriesDropped):
            replays.drop(connection, event, now)
        else:
            bots.take(connection, recorded, now)
        if recorded.position <= self._imported_upto:
            return set()
        if self._endpoints is None:
            self._endpoints = endpoints.planned_for(connection)
            self._following = len(self._endpoints)
        planned = plan(recorded, self._endpoints, epoch)
        queueing.insert(connection, planned, now)
        wanted.update(each.position for each in planned)
        return woken | {each.endpoint_id for each in planned}
