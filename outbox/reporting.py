"""Telling the server, which alone writes the log, how endpoints are, until it has taken it."""

import asyncio
import sqlite3

import msgspec
import structlog

from campfire.config import Settings
from campfire.domain.webhook_reports import Report
from campfire.errors import CampfireError
from outbox import reports
from outbox.ledger import Ledger
from outbox.patience import go_on, offer

_SECONDS = 30.0
"""For the server to take one report; a server that hangs is asked again."""
_NEVER = frozenset({"WEBHOOK_NOT_FOUND", "VALIDATION_FAILED"})
"""What the server says to a report that it will not take at any time."""

log = structlog.get_logger()


class Reporting:
    """`wake` it when there is another report; what waited before is handed over first."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Hand over for ever. A cancellation loses nothing: what waits is handed over by the next worker."""
        await go_on(self._hand_over_all, self._woken)

    async def _hand_over_all(self) -> bool:
        """Go once through all that waits, an endpoint's reports in their order; False if some are to be tried again."""
        after: tuple[int, str] = (-1, "")
        waiting: set[str] = set()  # endpoints whose first report was not taken: the next must not overtake it
        while rows := await self._ledger.rows(reports.NEXT_WAITING, after):
            for report in (Report(*row) for row in rows):
                after = (report.at, report.id)
                if report.webhook_id not in waiting and not await self._hand_over(report):
                    waiting.add(report.webhook_id)
        return not waiting

    async def _hand_over(self, report: Report) -> bool:
        try:
            taken = await self._is_taken(report)
            await self._ledger.write(lambda connection: reports.finish(connection, report.id, taken=taken))
        except (CampfireError, sqlite3.OperationalError) as error:
            log.warning("report_waits", report=report.id, endpoint=report.webhook_id, error=str(error))
            return False
        return True

    async def _is_taken(self, report: Report) -> bool:
        """Hand it over. False if the server will never take it; raises if it may later."""
        told = msgspec.json.encode(report)
        refused = await offer(self._settings, "/outbox/reports", told, seconds=_SECONDS, never=_NEVER)
        if refused is not None:
            log.warning("report_dropped", report=report.id, endpoint=report.webhook_id, code=refused.code)
        return refused is None
