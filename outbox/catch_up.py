"""Endpoints that are behind the outbox's own cursor: planned page by page from the log, until they have caught up.

An endpoint is behind after its cursor was moved, or after it was disabled. While it is, the planner leaves it alone,
so what happens now is sent after what happened before. Each page is one transaction with the endpoint's cursor: a
worker that is killed goes on where it was, and plans nothing twice.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial

import msgspec
import structlog

from campfire.domain.events import RecordedEvent
from campfire.eventlog.reader import LogReader
from outbox import endpoints, queueing, withdrawing
from outbox.endpoints import Standing
from outbox.ledger import Ledger
from outbox.planning import Planned, Saying, is_scrubbed, plan, plan_history

MOST_WAITING = 2_000
"""Deliveries of an endpoint in line at which it is planned no further: the log keeps the rest."""

_READ_AT_ONCE = 500
_MOST_READ = 5_000
"""Events looked through for one page, of which an endpoint may want few."""
_PAGE = 200
"""Deliveries planned in one transaction, for which the results of others wait."""
_POLL_SECONDS = 0.1

log = structlog.get_logger()


class _Page(msgspec.Struct, frozen=True):
    """What an endpoint wants of the log up to `reached`. `deleted` is of messages that are no more."""

    reached: int
    planned: list[Planned]
    deleted: list[Planned]


class CatchUp:
    """Run it beside the planner.

    `on_planned` hears of an endpoint that has something to do, `on_met` on the ledger's thread, before the
    planner's next step, that one follows the outbox's own cursor from here on.
    """

    def __init__(
        self,
        ledger: Ledger,
        reader: LogReader,
        now_ms: Callable[[], int],
        *,
        on_planned: Callable[[str], None],
        on_met: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._reader = reader
        self._now_ms = now_ms
        self._on_planned = on_planned
        self._on_met = on_met

    async def run(self) -> None:
        """Catch up for ever. Raises what `LogReader.read` raises. A cancellation loses nothing."""
        while True:
            try:
                progressed = await self._one_page_each()
            except sqlite3.OperationalError as error:
                log.error("outbox_unwritable", error=str(error))
                progressed = False
            if not progressed:
                await asyncio.sleep(_POLL_SECONDS)

    async def _one_page_each(self) -> bool:
        """Plan a page of every endpoint that is behind; False if there was nothing to plan, or no room for it."""
        progressed = False
        for standing in [Standing.of(row) for row in await self._ledger.rows(endpoints.BEHIND)]:
            [(waiting,)] = await self._ledger.rows(_WAITING, {"endpoint": standing.id, "most": MOST_WAITING})
            if waiting < MOST_WAITING:
                [(main,)] = await self._ledger.rows("SELECT COALESCE(MAX(position), 0) FROM cursor")
                page = await asyncio.to_thread(self._read, standing, main)
                await self._ledger.write(partial(self._put, standing=standing, page=page))
                self._on_planned(standing.id)
                progressed = True
        return progressed

    def _read(self, standing: Standing, main: int) -> _Page:
        """The next page, not beyond `main`, where the outbox's own cursor is."""
        end = main if standing.leap_from is None else min(main, standing.leap_from)
        page, wanted_of = _Page(standing.cursor, [], []), self._planning_for(standing)
        while page.reached < end and page.reached - standing.cursor < _MOST_READ and len(page.planned) < _PAGE:
            page = self._read_on(page, end, wanted_of)
        return page

    def _planning_for(self, standing: Standing) -> Callable[[RecordedEvent], list[Planned]]:
        endpoint, epoch = standing.endpoint, self._reader.epoch()
        if standing.is_in_history:
            return lambda recorded: plan_history(recorded, endpoint, epoch)
        imported_upto = self._reader.imported_upto()
        return lambda recorded: plan(recorded, [endpoint], epoch) if recorded.position > imported_upto else []

    def _read_on(self, page: _Page, end: int, wanted_of: Callable[[RecordedEvent], list[Planned]]) -> _Page:
        events = self._reader.read(page.reached, _READ_AT_ONCE, end)
        gone = self._reader.deleted_messages(each.event.message_id for each in events if isinstance(each.event, Saying))
        for recorded in events:
            event, wanted = recorded.event, wanted_of(recorded)
            is_gone = isinstance(event, Saying) and (event.message_id in gone or is_scrubbed(event))
            (page.deleted if is_gone else page.planned).extend(wanted)
            if len(page.planned) >= _PAGE:
                return msgspec.structs.replace(page, reached=recorded.position)
        return msgspec.structs.replace(page, reached=events[-1].position if len(events) == _READ_AT_ONCE else end)

    def _put(self, connection: sqlite3.Connection, standing: Standing, page: _Page) -> None:
        """Plan a page and move the cursor with it, unless the endpoint was changed or moved since the page was read."""
        now = self._now_ms()
        if endpoints.standing(connection, standing.id) != standing:
            return
        known: dict[int, str] = dict(
            connection.execute(
                "SELECT position, id FROM deliveries WHERE endpoint_id = ? AND position > ? AND position <= ?",
                (standing.id, standing.cursor, page.reached),
            ).fetchall()
        )
        queueing.insert(connection, [each for each in page.planned if each.position not in known], now)
        # What is known of a deleted message has had its place in the stream, and keeps it, as a tombstone; what
        # is not known of it was never told, and is not now.
        for each in page.deleted:
            if each.position in known and each.message_id is not None:
                withdrawing.withdraw(connection, each.message_id, now)
        if standing.is_in_history:
            due = [known[each.position] for each in (*page.planned, *page.deleted) if each.position in known]
            queueing.again(connection, standing.id, due, now)
        self._advance(connection, standing, page.reached)

    def _advance(self, connection: sqlite3.Connection, standing: Standing, reached: int) -> None:
        leap_from, leap_to = standing.leap_from, standing.leap_to
        if leap_from is not None and reached >= leap_from:
            reached, leap_from, leap_to = max(reached, leap_to or 0), None, None
        [main] = connection.execute("SELECT position FROM cursor").fetchone() or (0,)
        has_met = leap_from is None and reached >= main
        connection.execute(
            "UPDATE endpoints SET cursor = ?, leap_from = ?, leap_to = ? WHERE id = ?",
            (None if has_met else reached, leap_from, leap_to, standing.id),
        )
        if has_met:
            self._on_met()


_WAITING = """
SELECT (SELECT COUNT(*) FROM (
        SELECT 1 FROM deliveries WHERE endpoint_id = :endpoint AND state = 'pending' LIMIT :most))
    + (SELECT COUNT(*) FROM (
        SELECT 1 FROM deliveries WHERE endpoint_id = :endpoint AND state = 'queued' LIMIT :most))
"""
