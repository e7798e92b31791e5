"""Telling devices: who is to be told is asked of the server, and asked again before every attempt.

What waits here is only that there is something to tell. The server, which knows who has read what,
says whom and what at the time of sending; while it is down everything waits, until it is no news any more.
"""

import asyncio
import contextlib
import random
import sqlite3
from typing import TypeVar

import msgspec
import structlog

from campfire.clock import Clock
from campfire.config import Settings
from campfire.errors import CampfireError
from campfire.push_keys import Device
from campfire.push_words import (
    AUDIENCE_PATH,
    GONE_PATH,
    NOTIFICATION_PATH,
    Audience,
    AudienceAsked,
    DeviceToTell,
    Gone,
    NotificationAsked,
    Told,
)
from campfire.sealing import Sealer
from outbox.ledger import Ledger, Step
from outbox.push import deliveries, services
from outbox.push.asking import Asking
from outbox.push.deliveries import Claimed, Load, Push
from outbox.push.encryption import encrypt
from outbox.push.payload import fitted, smaller_than, topic_of
from outbox.push.services import Service
from outbox.push.vapid import Vapid
from outbox.schedule import delay_after
from outbox.sender import Outcome, Sender

Result = TypeVar("Result")

_SILENT_SECONDS = 1.0
"""Until a server that did not answer is asked again."""
_LONGEST_SLEEP = 60.0
_SPARE_ATTEMPTS = 8
"""Beyond the schedule, for shrinking and for restarts: a push that ends its worker must not do so for ever."""
_PER_SERVICE = 8
_AT_ONCE = 256
"""Pushes on their way, to one service and in all."""

log = structlog.get_logger()


class PushMeans(msgspec.Struct, frozen=True):
    """What pushes are made with."""

    settings: Settings
    ledger: Ledger
    sender: Sender
    sealer: Sealer
    clock: Clock
    chance: random.Random
    stopping: asyncio.Event


class Pusher:
    """`begin`, then `run`; `wake` it whenever there may be something to push."""

    def __init__(self, means: PushMeans) -> None:
        self._means = means
        self._now_ms = means.clock.now_ms
        self._asking = Asking(means.settings)
        self._vapid = Vapid(means.sealer, means.settings.push_subject, means.clock.now_ms)
        self._services: dict[str, Service] = {}
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
        self._services = await self._means.ledger.write(services.load)

    async def run(self) -> None:
        """Push until the worker stops; what is on its way then is finished first. Raises what is our own fault."""
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
            now = self._now_ms()
            push = await self._written(_choosing(now))
            if push is None:
                await _wait(self._to_plan, _LONGEST_SLEEP)
                continue
            devices = await self._audience(push)
            if devices is None:
                await _wait(self._means.stopping, _SILENT_SECONDS)
                continue
            await self._written(_planning(push, devices, self._now_ms()))
            self._to_send.set()

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
                task = asyncio.create_task(self._deliver(each), name=each.id)
                self._on_their_way[task] = each
                task.add_done_callback(self._end)
            if not claimed:
                await self._sleep_until(due, now)

    def _load(self, now: int) -> Load:
        in_flight: dict[str, int] = {}
        for each in self._on_their_way.values():
            in_flight[each.service] = in_flight.get(each.service, 0) + 1
        closed: set[str] = set()
        for host, service in self._services.items():
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
            for service in self._services.values()
            if service.breaker.state(now, self._open_ms) == "open"
        ]
        at = min([*probes, *([] if due is None else [due])], default=now + round(_LONGEST_SLEEP * 1000))
        await _wait(self._to_send, min(max(0.0, (at - now) / 1000), _LONGEST_SLEEP) + 0.001)

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

    async def _deliver(self, claimed: Claimed) -> None:
        """Ask what to say, say it, write down what became of it."""
        began = self._now_ms()
        if claimed.is_refused or self._service(claimed).is_stopped(began):
            await self._drop(claimed, "refused")
            return
        if claimed.attempts > len(self._means.settings.webhook_retry_schedule) + _SPARE_ATTEMPTS:
            await self._drop(claimed, "failed")
            return
        asked = NotificationAsked(claimed.subscription_id, claimed.message_id, claimed.position)
        told = await self._asking.ask(NOTIFICATION_PATH, asked, Told)
        if told is None:
            await _wait(self._means.stopping, _SILENT_SECONDS)  # in its place among those on their way: no storm
            at = self._now_ms()
            await self._written(lambda connection: deliveries.give_back(connection, claimed, at))
        elif told.notification is None:
            await self._drop(claimed, told.silence or "unsubscribed")
        else:
            await self._send(claimed, told, began)

    async def _send(self, claimed: Claimed, told: Told, began: int) -> None:
        assert told.notification is not None
        try:
            device = Device.from_text(self._means.sealer.open(told.sealed_device))
            authorization = self._vapid.authorization(device.endpoint, told.public_key, told.sealed_private_key)
        except (CampfireError, ValueError, msgspec.MsgspecError) as error:
            # Another server.key, or an account that was brought here without its secrets.
            log.error("push_secret_unreadable", delivery=claimed.id, error=type(error).__name__)
            await self._drop(claimed, "unreadable")
            return
        payload, size = fitted(told.notification, claimed.largest)
        headers = {
            "Authorization": authorization,
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(max(0, (claimed.expires_at - self._now_ms()) // 1000)),
            "Urgency": "high",
            "Topic": topic_of(claimed.subscription_id, told.notification.tag),
        }
        body = encrypt(payload, device.p256dh, device.auth, padded_to=size)
        outcome = await self._means.sender.post(device.endpoint, body, lambda: headers)
        await self._settle(claimed, outcome, began, size, told.device_position)

    async def _settle(self, claimed: Claimed, outcome: Outcome, began: int, size: int, device_position: int) -> None:
        status = outcome.status
        if outcome.failure_class is not None:
            log.warning("push_failed", delivery=claimed.id, service=claimed.service, outcome=deliveries.said(outcome))
        is_ended = status in (404, 410) and await self._end_device(claimed, device_position)
        now = self._now_ms()
        service = self._services[claimed.service] = self._service(claimed).after(outcome, now)

        def step(connection: sqlite3.Connection) -> None:
            deliveries.record(connection, claimed, outcome, began=began, now=now)
            services.save(connection, claimed.service, service)
            if outcome.failure_class is None:
                deliveries.finish(connection, claimed, None, now)
                deliveries.accept(connection, claimed)
            elif is_ended:
                deliveries.finish(connection, claimed, "gone", now)
            elif status in (401, 403):
                deliveries.refuse(connection, claimed, status, now)
                deliveries.finish(connection, claimed, "refused", now)
            elif status == 413:
                self._shrink(connection, claimed, size, now)
            elif _may_pass(outcome):
                self._retry(connection, claimed, outcome, now)
            else:
                reason = "rejected" if outcome.failure_class == "status" else outcome.failure_class
                deliveries.finish(connection, claimed, reason, now)

        await self._written(step)

    def _shrink(self, connection: sqlite3.Connection, claimed: Claimed, size: int, now: int) -> None:
        smaller = smaller_than(size)
        if smaller is None:
            deliveries.finish(connection, claimed, "too_large", now)
        else:
            deliveries.again(connection, claimed, at=now, largest=smaller, now=now)

    def _retry(self, connection: sqlite3.Connection, claimed: Claimed, outcome: Outcome, now: int) -> None:
        schedule = self._means.settings.webhook_retry_schedule
        wait = delay_after(claimed.attempts, schedule, chance=self._means.chance, retry_after=outcome.retry_after)
        if wait is None:
            deliveries.finish(connection, claimed, "failed", now)
        elif now + wait * 1000 >= claimed.expires_at:
            deliveries.finish(connection, claimed, "expired", now)
        else:
            at = now + round(wait * 1000)
            deliveries.again(connection, claimed, at=at, largest=claimed.largest, now=now)

    async def _end_device(self, claimed: Claimed, device_position: int) -> bool:
        """Have it put on record that the device is gone; if nobody listens, the next attempt finds out again."""
        answer = await self._asking.ask(GONE_PATH, Gone(claimed.subscription_id, device_position), dict)
        return answer is not None

    async def _drop(self, claimed: Claimed, reason: str) -> None:
        now = self._now_ms()
        await self._written(lambda connection: deliveries.finish(connection, claimed, reason, now))

    def _service(self, claimed: Claimed) -> Service:
        return self._services.get(claimed.service, Service())

    async def _written(self, step: Step[Result]) -> Result | None:
        return await self._means.ledger.write_patiently(step, self._means.stopping)


def _claiming(now: int, load: Load, limit: int) -> Step[tuple[list[Claimed], int | None]]:
    def step(connection: sqlite3.Connection) -> tuple[list[Claimed], int | None]:
        claimed = deliveries.claim(connection, now, load, limit) if limit > 0 else []
        return claimed, None if claimed or limit <= 0 else deliveries.next_due(connection, load)

    return step


def _choosing(now: int) -> Step[Push | None]:
    return lambda connection: deliveries.next_push(connection, now)


def _planning(push: Push, devices: list[DeviceToTell], now: int) -> Step[None]:
    return lambda connection: deliveries.plan(connection, push, devices, now)


def _may_pass(outcome: Outcome) -> bool:
    """Whether another attempt could end otherwise."""
    if outcome.failure_class == "status":
        status = outcome.status or 0
        return status in (404, 408, 410, 425, 429) or status >= 500
    return outcome.failure_class in ("network", "timeout", "tls")


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
