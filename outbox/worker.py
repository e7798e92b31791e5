"""The worker: plans from the log, and sends to each endpoint at its own pace.

Every endpoint has a task of its own, so a slow or dead one delays nobody else. An endpoint's
deliveries go one at a time (its `concurrency`), and the result of one is durable before the next is
sent: a kill can therefore repeat one delivery an endpoint, the one that was on its way.
"""

import asyncio
import contextlib
import os
import random
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine

import structlog

from campfire.clock import Clock
from campfire.config import Settings
from campfire.errors import CampfireError
from campfire.eventlog.follower import follow
from campfire.eventlog.reader import LogReader
from campfire.sealing import Sealer
from outbox import deliveries
from outbox.address_guard import AddressGuard
from outbox.breaker import Breaker
from outbox.deliveries import Claimed, Destination
from outbox.ledger import Ledger
from outbox.planner import Planner
from outbox.schedule import delay_after
from outbox.sender import Outcome, Sender

_HEARTBEAT_SECONDS = 5
_UNWRITABLE_SECONDS = 1.0
_LONGEST_SLEEP = 60.0

log = structlog.get_logger()


class Worker:
    """Run it until `stop`; whatever it was sending is then finished first."""

    def __init__(self, settings: Settings, clock: Clock, chance: random.Random | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._ledger = Ledger(settings.outbox_path)
        self._sender = Sender(
            AddressGuard(settings.webhook_allow, settings.port), clock, timeout=settings.webhook_timeout
        )
        self._breaker_ms = round(settings.webhook_breaker_seconds * 1000)
        self._sealer = Sealer.from_key_file(settings.key_path)
        self._reader = LogReader(settings.events_path)
        self._planner = Planner(self._ledger, self._reader, clock.now_ms)
        self._stopping = asyncio.Event()
        self._woken: dict[str, asyncio.Event] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}

    def stop(self) -> None:
        """Claim nothing more; finish what is being sent."""
        self._stopping.set()
        for woken in self._woken.values():
            woken.set()

    async def run(self) -> None:
        """Deliver until stopped. Raises `CampfireError` `LOG_DAMAGED` if the log is not the one followed so far."""
        await self._ledger.open()
        await self._sender.open()
        try:
            after = await self._begin()
            beat = self._task(self._beat(), "heartbeat")
            plan = self._task(self._plan(after), "planner")
            stopped = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({beat, plan, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in (beat, plan):
                task.cancel()
            results = await asyncio.gather(beat, plan, return_exceptions=True)
            self.stop()
            await asyncio.gather(*self._senders.values())
            stopped.cancel()
            for result in results:
                if isinstance(result, Exception):
                    raise result
        finally:
            await self._sender.close()
            await self._ledger.close()
            self._reader.close()

    async def _begin(self) -> int:
        """Prove the log against the cursor, take back what a crash left, wake the endpoints that have work."""
        await self._ledger.write(lambda ledger: deliveries.take_back(ledger, self._clock.now_ms()))
        cursor = await self._ledger.rows("SELECT position, chain, epoch FROM cursor")
        position = 0
        if cursor:
            position, chain, _epoch = cursor[0]
            if await asyncio.to_thread(self._reader.chain_at, position) != chain:
                tip = await asyncio.to_thread(self._reader.tip)
                raise CampfireError(
                    "LOG_DAMAGED",
                    f"The outbox has followed the log to position {position}, but the log (now at {tip.position})"
                    " does not hold that event: it is another log, or it has lost its end. Nothing is sent.",
                )
        await self._planner.load()
        for row in await self._ledger.rows("SELECT DISTINCT endpoint_id FROM deliveries WHERE state = 'pending'"):
            self._wake(row[0])
        return int(position)

    async def _plan(self, after: int) -> None:
        async for events in follow(self._reader, after):
            while True:
                try:
                    woken = await self._planner.take(events)
                    break
                except sqlite3.Error as error:
                    log.error("outbox_unwritable", error=str(error))
                    await asyncio.sleep(_UNWRITABLE_SECONDS)
            for endpoint_id in woken:
                self._wake(endpoint_id)

    async def _beat(self) -> None:
        """Leave word that this worker lives; health looks at it."""

        async def step(ledger: Ledger) -> None:
            await ledger.rows(
                "INSERT OR REPLACE INTO worker (id, pid, alive_at) VALUES (1, ?, ?)",
                (os.getpid(), self._clock.now_ms()),
            )

        while True:
            with contextlib.suppress(sqlite3.Error):  # the planner says what is wrong with the file
                await self._ledger.write(step)
            await asyncio.sleep(_HEARTBEAT_SECONDS)

    def _wake(self, endpoint_id: str) -> None:
        woken = self._woken.setdefault(endpoint_id, asyncio.Event())
        woken.set()
        sender = self._senders.get(endpoint_id)
        if sender is None or sender.done():
            self._senders[endpoint_id] = self._task(self._serve(endpoint_id, woken), f"endpoint {endpoint_id}")

    async def _serve(self, endpoint_id: str, woken: asyncio.Event) -> None:
        """Deliver to one endpoint, for as long as it is active."""
        breaker = await deliveries.load_breaker(self._ledger, endpoint_id)
        claimed: Claimed | None = None
        while not (self._stopping.is_set() and claimed is None):
            try:
                destination = await deliveries.destination(self._ledger, endpoint_id)
                if destination is None:
                    return
                if claimed is None:
                    claimed = await self._claim_when_due(endpoint_id, woken, breaker)
                    continue
                began = self._clock.now_ms()
                outcome = await self._sender.attempt(
                    claimed.id, destination.url, claimed.payload, self._secrets(destination, began)
                )
                breaker, claimed = await self._settle(endpoint_id, claimed, outcome, breaker, began)
            except sqlite3.Error as error:
                # Not sent without a durable claim, not forgotten without a durable result: wait for the disk.
                log.error("outbox_unwritable", endpoint=endpoint_id, error=str(error))
                await asyncio.sleep(_UNWRITABLE_SECONDS)

    async def _claim_when_due(self, endpoint_id: str, woken: asyncio.Event, breaker: Breaker) -> Claimed | None:
        """Wait until the breaker lets a delivery through and one is due, then claim it; None to look again."""
        woken.clear()
        now = self._clock.now_ms()
        if breaker.state(now, self._breaker_ms) == "open":
            await self._sleep_until(breaker.opens_until(self._breaker_ms), woken=None)
            return None
        claimed = await self._ledger.write(lambda ledger: deliveries.claim(ledger, endpoint_id, now))
        if claimed is None:
            await self._sleep_until(await deliveries.next_due(self._ledger, endpoint_id), woken)
        return claimed

    async def _settle(
        self, endpoint_id: str, claimed: Claimed, outcome: Outcome, breaker: Breaker, began: int
    ) -> tuple[Breaker, Claimed | None]:
        """Write down the result and claim the next delivery, in one commit if there is no reason to pause."""
        now = self._clock.now_ms()
        after = breaker.after_success() if outcome.failure_class is None else breaker.after_failure(now)
        wait = None if outcome.is_final or outcome.failure_class is None else self._wait(claimed, outcome)
        may_go_on = not self._stopping.is_set() and after.opened_at is None and not outcome.is_gone

        async def step(ledger: Ledger) -> Claimed | None:
            await deliveries.record(ledger, endpoint_id, claimed, outcome, began=began, now=now, wait=wait)
            if after != breaker:
                await deliveries.save_breaker(ledger, endpoint_id, after)
            if outcome.is_gone:
                await deliveries.disable(ledger, endpoint_id, "the receiver answered 410 Gone")
            return await deliveries.claim(ledger, endpoint_id, now) if may_go_on else None

        following = await self._patiently(step, endpoint_id)
        if outcome.is_gone:
            self._planner.disable(endpoint_id)
        if outcome.failure_class is not None:
            log.warning(
                "delivery_failed",
                delivery=claimed.id,
                endpoint=endpoint_id,
                attempt=claimed.attempts,
                failure=outcome.failure_class,
                detail=outcome.detail,
                dead=wait is None,
            )
        return after, following

    async def _patiently(self, step: Callable[[Ledger], Awaitable[Claimed | None]], endpoint_id: str) -> Claimed | None:
        """Write a result however long the disk is full: to forget it would be to send it again."""
        while True:
            try:
                return await self._ledger.write(step)
            except sqlite3.Error as error:
                log.error("outbox_unwritable", endpoint=endpoint_id, error=str(error))
                await asyncio.sleep(_UNWRITABLE_SECONDS)

    def _wait(self, claimed: Claimed, outcome: Outcome) -> float | None:
        return delay_after(
            claimed.round,
            self._settings.webhook_retry_schedule,
            chance=self._chance,
            retry_after=outcome.retry_after,
        )

    def _secrets(self, destination: Destination, now: int) -> list[str]:
        secrets = [self._sealer.open(destination.sealed_secret)]
        previous, until = destination.previous_sealed_secret, destination.previous_valid_until
        if previous is not None and until is not None and now < until:
            secrets.append(self._sealer.open(previous))
        return secrets

    async def _sleep_until(self, at: int | None, woken: asyncio.Event | None) -> None:
        """Sleep until `at` (milliseconds), the end, or a wake-up. Never for long at once: clocks are set."""
        seconds = _LONGEST_SLEEP if at is None else max(0.0, (at - self._clock.now_ms()) / 1000)
        waiting = woken or self._stopping
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(waiting.wait(), min(seconds, _LONGEST_SLEEP) + 0.001)

    def _task(self, work: Coroutine[None, None, None], name: str) -> "asyncio.Task[None]":
        return asyncio.create_task(work, name=name)
