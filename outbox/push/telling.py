"""Telling one device of one thing: ask what to say, say it, write down what became of it."""

import sqlite3
from typing import TypeVar

import aiohttp
import msgspec
import structlog

from campfire.errors import CampfireError
from campfire.push_keys import Device
from campfire.push_words import GONE_PATH, NOTIFICATION_PATH, Gone, Notification, NotificationAsked, Told
from outbox.ledger import Step
from outbox.patience import wait_for
from outbox.push import deliveries, services
from outbox.push.asking import Asking
from outbox.push.deliveries import Claimed
from outbox.push.encryption import encrypt
from outbox.push.means import PushMeans
from outbox.push.payload import fitted, smaller_than, topic_of
from outbox.push.services import Service
from outbox.push.vapid import Vapid
from outbox.schedule import delay_after
from outbox.sender import Outcome

Result = TypeVar("Result")

SILENT_SECONDS = 1.0
"""Until a server that did not answer is asked again."""
_SPARE_ATTEMPTS = 8
"""Beyond the schedule, for shrinking and for restarts: a push that ends its worker must not do so for ever."""

log = structlog.get_logger()


class Teller:
    """`tell` each push that has been claimed. `services` is what is known of push services, by host."""

    def __init__(self, means: PushMeans, asking: Asking) -> None:
        self.services: dict[str, Service] = {}
        self._means = means
        self._now_ms = means.clock.now_ms
        self._asking = asking
        self._vapid = Vapid(means.sealer, means.settings.push_subject, means.clock.now_ms)

    async def tell(self, claimed: Claimed) -> None:
        """Send it if it still makes sense. Raises what is our own fault."""
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
            await wait_for(self._means.stopping, SILENT_SECONDS)  # in its place among those on their way: no storm
            at = self._now_ms()
            await self._written(lambda connection: deliveries.give_back(connection, claimed, at))
        elif told.notification is None:
            await self._drop(claimed, told.silence or "unsubscribed")
        else:
            await self._send(claimed, told, told.notification, began)

    async def _send(self, claimed: Claimed, told: Told, notification: Notification, began: int) -> None:
        try:
            device = Device.from_text(self._means.sealer.open(told.sealed_device))
            authorization = self._vapid.authorization(device.endpoint, told.public_key, told.sealed_private_key)
        except (CampfireError, ValueError, msgspec.MsgspecError) as error:
            # Another server.key, or an account that was brought here without its secrets.
            log.error("push_secret_unreadable", delivery=claimed.id, error=type(error).__name__)
            await self._drop(claimed, "unreadable")
            return
        payload, size = fitted(notification, claimed.largest)
        ttl = max(0, (claimed.expires_at - self._now_ms()) // 1000)
        headers = {
            "Authorization": authorization,
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(ttl),
            "Urgency": "high" if told.is_urgent else "normal",
            "Topic": topic_of(claimed.subscription_id, notification.tag),
        }
        body = encrypt(payload, device.p256dh, device.auth, padded_to=size)

        async def judge(response: aiohttp.ClientResponse) -> Outcome:
            outcome = await self._means.sender.judged(response)
            return outcome if outcome.failure_class else _with_its_ttl(outcome, response.headers.get("TTL"), ttl)

        await self._means.ledger.assure()
        outcome = await self._means.sender.post(device.endpoint, body, lambda: headers, judge=judge)
        await self._settle(claimed, outcome, began, size, told.device_position)

    async def _settle(self, claimed: Claimed, outcome: Outcome, began: int, size: int, device_position: int) -> None:
        status = outcome.status
        if outcome.failure_class is not None:
            log.warning("push_failed", delivery=claimed.id, service=claimed.service, outcome=deliveries.said(outcome))
        is_ended = status in (404, 410) and await self._end_device(claimed, device_position)
        now = self._now_ms()
        service = self.services[claimed.service] = self._service(claimed).after(outcome, now)

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
        return self.services.get(claimed.service, Service())

    async def _written(self, step: Step[Result]) -> Result | None:
        return await self._means.ledger.write_patiently(step, self._means.stopping)


def _with_its_ttl(outcome: Outcome, kept: str | None, asked: int) -> Outcome:
    """A service may keep a push for less time than it was asked to, and says so (RFC 8030, section 5.2)."""
    said = f"answered {outcome.status}"
    if kept is not None and kept.isascii() and kept.isdigit() and int(kept[:9]) < asked:
        said += f", kept for {int(kept[:9])} s only"
    return msgspec.structs.replace(outcome, detail=said)


def _may_pass(outcome: Outcome) -> bool:
    """Whether another attempt could end otherwise."""
    if outcome.failure_class == "status":
        status = outcome.status or 0
        return status in (404, 408, 410, 425, 429) or status >= 500
    return outcome.failure_class in ("network", "timeout", "tls")
