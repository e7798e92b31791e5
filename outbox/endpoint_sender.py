"""Delivering to one endpoint, at its own pace: claim, send, write down, claim the next.

By default one delivery is on its way at a time, oldest first, and the next is sent only when the
result of the last is durable: a kill can then repeat one delivery of an endpoint, the one that was
on its way. Result and next claim are one step of the ledger, so one fsync serves both and a single
endpoint still takes well over a thousand a second. An endpoint's `concurrency` raises the number on
their way, and with it what a kill may repeat; speed over many endpoints needs no such thing.
"""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from typing import TypeVar

import msgspec
import structlog

from campfire.clock import Clock
from campfire.config import Settings
from campfire.sealing import Sealer
from outbox import deliveries, health, loops, parking
from outbox.bot_calls import BotCaller
from outbox.breaker import Breaker
from outbox.deliveries import Claimed, Destination
from outbox.health import Verdict
from outbox.ledger import Ledger, Step
from outbox.metrics import Metrics
from outbox.patience import wait_for
from outbox.rate import Bucket
from outbox.rendering import Renderer
from outbox.schedule import delay_after
from outbox.sender import Outcome, Sender

Result = TypeVar("Result")

_LONGEST_SLEEP = 60.0
_RESUMED_SECONDS = 1.0
"""Between two looks at whether an endpoint that rests was resumed: events may come by the hundred a second."""

log = structlog.get_logger()


class Means(msgspec.Struct, frozen=True):
    """What all endpoints deliver with.

    `on_disabled` hears that an endpoint was given up, `on_answer` that there is an answer of a bot to be posted,
    `on_report` that there is something to be told of an endpoint.
    """

    settings: Settings
    ledger: Ledger
    sender: Sender
    sealer: Sealer
    clock: Clock
    chance: random.Random
    stopping: asyncio.Event
    caller: BotCaller
    renderer: Renderer
    metrics: Metrics
    on_disabled: Callable[[], None]
    on_answer: Callable[[], None]
    on_report: Callable[[], None]


class EndpointSender:
    """`wake` it whenever there may be something to send; its task lasts for as long as there is."""

    def __init__(self, endpoint_id: str, means: Means) -> None:
        self._id = endpoint_id
        self._means = means
        self._open_ms = round(means.settings.webhook_breaker_seconds * 1000)
        self._breaker: Breaker | None = None
        self._bucket = Bucket()
        self._opened: dict[str, str] = {}
        self._concurrency = 1
        self._woken = asyncio.Event()
        self._lanes: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Deliver until nothing waits or the worker stops; what is on its way then is finished first.

        Raises what no receiver can cause: a secret that cannot be opened, a disk that cannot be trusted.
        """
        try:
            if self._breaker is None or self._breaker.failures:  # a resumed endpoint is forgiven
                await self._load_breaker()
            while self._breaker is not None and not self._means.stopping.is_set():
                self._woken.clear()
                if not await self._send_or_wait(self._breaker):
                    break
        finally:
            await asyncio.gather(*self._lanes, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    async def _send_or_wait(self, breaker: Breaker) -> bool:
        """Put one more delivery on its way, or wait until that may be possible; False if nothing is left to do."""
        if self._failure is not None:
            return False
        now = self._means.clock.now_ms()
        state = breaker.state(now, self._open_ms)
        if state == "open":
            await self._rest_until(breaker.opens_until(self._open_ms))
        elif len(self._lanes) >= (1 if state == "half-open" else self._concurrency):
            await self._sleep_until(None)
        else:
            claimed, due = await self._written(lambda connection: self._claimed_or_due(connection, now)) or (None, None)
            if claimed is not None:
                self._start_lane(claimed)
            elif due is not None or self._lanes:
                await self._sleep_until(due)
            else:
                return self._woken.is_set()  # planned between our look and now: look again
        return True

    async def _rest_until(self, at: int) -> None:
        """Sleep while the breaker is open; whoever resumes the endpoint closes it."""
        await self._sleep_until(at)
        if self._woken.is_set():
            await wait_for(self._means.stopping, _RESUMED_SECONDS)
            await self._load_breaker()

    async def _load_breaker(self) -> None:
        if not self._lanes:  # what is on its way knows better than what was written before
            self._breaker = await self._written(lambda connection: deliveries.load_breaker(connection, self._id))

    def _claimed_or_due(self, connection: sqlite3.Connection, now: int) -> tuple[Claimed | None, int | None]:
        claimed = self._claim(connection, now)
        if claimed is not None:
            return claimed, None
        due = deliveries.next_due(connection, self._id, now)
        if due is not None and due <= now:  # it waits for a token
            due = now + round(self._bucket.wait(self._means.clock.monotonic()) * 1000)
        return None, due

    def _claim(self, connection: sqlite3.Connection, now: int) -> Claimed | None:
        """Claim the next delivery as the endpoint's settings are now; none while its rate allows none."""
        return deliveries.claim(
            connection, self._id, now, lambda place: self._bucket.take(place.rate, self._means.clock.monotonic())
        )

    def _obey(self, claimed: Claimed) -> Claimed:
        if claimed.destination.concurrency != self._concurrency:
            self._concurrency = claimed.destination.concurrency
            self._woken.set()
        return claimed

    def _start_lane(self, claimed: Claimed) -> None:
        lane = asyncio.create_task(self._send_on(self._obey(claimed)), name=f"delivery to {self._id}")
        self._lanes.add(lane)
        lane.add_done_callback(self._end_lane)

    def _end_lane(self, lane: "asyncio.Task[None]") -> None:
        self._lanes.discard(lane)
        if not lane.cancelled() and lane.exception() is not None:
            self._failure = lane.exception()
        self._woken.set()

    async def _send_on(self, first: Claimed) -> None:
        """Send one delivery after another for as long as they are due."""
        claimed: Claimed | None = first
        while claimed is not None:
            began = self._means.clock.now_ms()
            claimed = await self._settle(claimed, await self._attempt(claimed, began), began)

    async def _attempt(self, claimed: Claimed, now: int) -> Outcome:
        place = claimed.destination
        payload = await self._means.renderer.payload(claimed)
        if payload is None:
            return Outcome("expired", "the message was deleted")
        await self._means.ledger.assure()
        if place.kind == "bot":
            return await self._means.caller.attempt(claimed, payload)
        return await self._means.sender.attempt(
            claimed.id,
            place.url,
            payload,
            self._secrets(place, now),
            extra=parking.headers_of(claimed.missing, is_late=claimed.is_late) | loops.header_of(claimed.hops),
            seconds=place.timeout,
        )

    async def _settle(self, claimed: Claimed, outcome: Outcome, began: int) -> Claimed | None:
        """Write down the result and claim the next delivery, in one commit, unless there is a reason to pause."""
        now = self._means.clock.now_ms()
        before = self._breaker or Breaker()
        after = before.after_success() if outcome.failure_class is None else before.after_failure(now)
        self._breaker = after
        wait = self._wait(claimed, outcome)
        pauses = after.opened_at is not None or len(self._lanes) > self._concurrency

        def step(connection: sqlite3.Connection) -> tuple[Verdict, Claimed | None]:
            deliveries.record(connection, claimed, outcome, began=began, now=now, wait=wait)
            if after != before:
                deliveries.save_breaker(connection, self._id, after)
            verdict = health.note(connection, self._id, outcome, now, self._means.settings)
            if pauses or verdict.disabled or self._means.stopping.is_set():
                return verdict, None
            return verdict, self._claim(connection, now)

        written = await self._written(step)
        if written is not None:
            self._means.metrics.attempted(claimed, outcome.failure_class, began=began, now=now)
        verdict, following = written or (Verdict(), None)
        if verdict.disabled:
            self._means.on_disabled()
        if verdict.reported:
            self._means.on_report()
        if outcome.answer is not None:
            self._means.on_answer()
        if outcome.failure_class is not None:
            log.warning(
                "delivery_failed",
                delivery=claimed.id,
                endpoint=self._id,
                attempt=claimed.attempts,
                failure=outcome.failure_class,
                detail=outcome.detail,
                dead=wait is None,
            )
        return following and self._obey(following)

    async def _written(self, step: Step[Result]) -> Result | None:
        return await self._means.ledger.write_patiently(step, self._means.stopping)

    def _wait(self, claimed: Claimed, outcome: Outcome) -> float | None:
        """Seconds until the next attempt, None for none. A bot is called once: nobody waits an hour for its answer."""
        if outcome.failure_class is None or outcome.is_final or claimed.destination.kind == "bot":
            return None
        return delay_after(
            claimed.round,
            self._means.settings.webhook_retry_schedule,
            chance=self._means.chance,
            retry_after=outcome.retry_after,
        )

    def _secrets(self, place: Destination, now: int) -> list[str]:
        """All that sign at this moment, the newest first. Opened once, and forgotten with the endpoint's own."""
        valid = [sealed for sealed, until in place.secrets if until is None or now < until]
        self._opened = {sealed: self._opened.get(sealed) or self._means.sealer.open(sealed) for sealed in valid}
        return list(self._opened.values())

    async def _sleep_until(self, at: int | None) -> None:
        """Sleep until `at` (milliseconds) or a wake-up. Never for long at once: clocks are set."""
        seconds = _LONGEST_SLEEP if at is None else max(0.0, (at - self._means.clock.now_ms()) / 1000)
        await wait_for(self._woken, min(seconds, _LONGEST_SLEEP) + 0.001)
