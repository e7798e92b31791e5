"""Telling devices: who is to be told is asked of the server, and asked again before every attempt.

What waits here is only that there is something to tell. The server, which knows who has read what,
says whom and what at the time of sending; while it is down everything waits, until it is no news any more.
"""

import asyncio
import sqlite3
from itertools import takewhile
from typing import TypeVar

from campfire.push_words import AUDIENCE_PATH, Audience, AudienceAsked, DeviceToTell
from outbox.ledger import Step
from outbox.patience import wait_for
from outbox.push import deliveries, services
from outbox.push.asking import Asking
from outbox.push.deliveries import Claimed, Load, Push
from outbox.push.means import PushMeans
from outbox.push.telling import SILENT_SECONDS, Teller

Result = TypeVar("Result")

_LONGEST_SLEEP = 60.0
_PLANNED_AT_ONCE = 64
_QUESTIONS = 4
"""Things that the server is asked about together, and questions that it is asked at a time."""
_PER_SERVICE = 8
_AT_ONCE = 256
"""Pushes on their way, to one service and in all."""


class Pusher:
    """`begin`, then `run`; `wake` it whenever there may be something to push."""

    def __init__(self, means: PushMeans) -> None:
        self._means = means
        self._now_ms = means.clock.now_ms
        self._asking = Asking(means.settings)
        self._teller = Teller(means, self._asking)
        self._on_their_way: dict[asyncio.Task[None], Claimed] = {}
        self._to_plan = asyncio.Event()
        self._to_send = asyncio.Event()
        self._failure: BaseException | None = None

    def wake(self) -> None:
        self._to_plan.set()
        self._to_send.set()

    async def begin(self) -> None:
        """Take back what a crash left."""
        now = self._now_ms()
        await self._means.ledger.write(lambda connection: deliveries.take_back(connection, now))
        self._teller.services = await self._means.ledger.write(services.load)

    async def run(self) -> None:
        """Push until the worker stops; what is on its way then is finished first. Raises what is our own fault."""
        async with self._asking:
            await self._run()

    async def _run(self) -> None:
        planning = asyncio.create_task(self._plan_all(), name="push audiences")
        planning.add_done_callback(self._note_failure)
        try:
            await self._send_all()
        finally:
            planning.cancel()
            await asyncio.gather(planning, *self._on_their_way, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    async def _plan_all(self) -> None:
        """Ask whom to tell of each thing, in order; a restart in between asks again, and no harm is done."""
        while not self._means.stopping.is_set():
            self._to_plan.clear()
            pushes = await self._written(_choosing(self._now_ms()))
            if not pushes:
                await wait_for(self._to_plan, _LONGEST_SLEEP)
                continue
            audiences = await self._audiences(pushes)
            # In order, up to the first that there is no answer about: what is newer takes the place of what is older.
            known = [
                (push, devices)
                for push, devices in takewhile(lambda pair: pair[1] is not None, zip(pushes, audiences, strict=True))
                if devices is not None
            ]
            if known:
                await self._written(_planning(known, self._now_ms()))
                self._to_send.set()
            if len(known) < len(pushes):
                await wait_for(self._means.stopping, SILENT_SECONDS)

    async def _audiences(self, pushes: list[Push]) -> list[list[DeviceToTell] | None]:
        few = asyncio.Semaphore(_QUESTIONS)

        async def ask(push: Push) -> list[DeviceToTell] | None:
            async with few:
                return await self._audience(push)

        return await asyncio.gather(*(ask(push) for push in pushes))

    async def _audience(self, push: Push) -> list[DeviceToTell] | None:
        if push.message_id is None:
            if push.subscription_id is None or push.service is None:
                return []
            return [DeviceToTell(push.subscription_id, push.service)]
        audience = await self._asking.ask(AUDIENCE_PATH, AudienceAsked(push.message_id, push.position), Audience)
        return None if audience is None else audience.devices

    async def _send_all(self) -> None:
        while not self._means.stopping.is_set() and self._failure is None:
            self._to_send.clear()
            now = self._now_ms()
            step = _claiming(now, self._load(now), _AT_ONCE - len(self._on_their_way))
            claimed, due = await self._written(step) or ([], None)
            for each in claimed:
                task = asyncio.create_task(self._teller.tell(each), name=each.id)
                self._on_their_way[task] = each
                task.add_done_callback(self._end)
            if not claimed:
                await self._sleep_until(due, now)

    def _load(self, now: int) -> Load:
        in_flight: dict[str, int] = {}
        for each in self._on_their_way.values():
            in_flight[each.service] = in_flight.get(each.service, 0) + 1
        closed: set[str] = set()
        for host, service in self._teller.services.items():
            state = service.breaker.state(now, self._open_ms)
            if state == "open":
                closed.add(host)
            elif state == "half-open":  # one probe
                in_flight[host] = _PER_SERVICE if in_flight.get(host) else _PER_SERVICE - 1
        devices = [each.subscription_id for each in self._on_their_way.values()]
        return Load(closed, devices, in_flight, _PER_SERVICE)

    async def _sleep_until(self, due: int | None, now: int) -> None:
        """Until something is due, a service is to be probed, or a wake-up. Never for long: clocks are set."""
        probes = [
            service.breaker.opens_until(self._open_ms)
            for service in self._teller.services.values()
            if service.breaker.state(now, self._open_ms) == "open"
        ]
        at = min([*probes, *([] if due is None else [due])], default=now + round(_LONGEST_SLEEP * 1000))
        await wait_for(self._to_send, min(max(0.0, (at - now) / 1000), _LONGEST_SLEEP) + 0.001)

    @property
    def _open_ms(self) -> int:
        return round(self._means.settings.webhook_breaker_seconds * 1000)

    def _end(self, task: "asyncio.Task[None]") -> None:
        self._on_their_way.pop(task, None)
        self._note_failure(task)
        self._to_send.set()

    def _note_failure(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            self._failure = task.exception()
            self._to_send.set()

    async def _written(self, step: Step[Result]) -> Result | None:
        return await self._means.ledger.write_patiently(step, self._means.stopping)


def _claiming(now: int, load: Load, limit: int) -> Step[tuple[list[Claimed], int | None]]:
    def step(connection: sqlite3.Connection) -> tuple[list[Claimed], int | None]:
        claimed = deliveries.claim(connection, now, load, limit) if limit > 0 else []
        return claimed, None if claimed or limit <= 0 else deliveries.next_due(connection, now, load)

    return step


def _choosing(now: int) -> Step[list[Push]]:
    return lambda connection: deliveries.next_pushes(connection, now, _PLANNED_AT_ONCE)


def _planning(known: list[tuple[Push, list[DeviceToTell]]], now: int) -> Step[None]:
    def step(connection: sqlite3.Connection) -> None:
        for push, devices in known:
            deliveries.plan(connection, push, devices, now)

    return step
