"""Rows 33 and 41 of the fault table: what receivers ask for, and answers that break off."""

import asyncio
from email.utils import formatdate
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from faults_support.attempts import Attempts
from faults_support.hostile_sink import HostileSink, breaks_off, says
from outbox_support.chat import Chat
from outbox_support.push import Working
from outbox_support.sink import Sink
from outbox_support.worker_process import WorkerProcess

from campfire.clock import SystemClock
from campfire.config import Settings

SOON = 0.05
"""Seconds of the schedule's steps."""


def working_for(chat: Chat, **settings: Any) -> Working:
    allowed = (ip_network("127.0.0.0/8"),)
    options = {"webhook_allow": allowed, "webhook_retry_schedule": (SOON,) * 3, "webhook_breaker_seconds": 0.05}
    return Working(Settings(data=chat.engine.settings.data, **(options | settings)))


async def until_disabled(attempts: Attempts, webhook_id: str) -> str:
    """Wait until an endpoint is, and return why."""
    query = "SELECT disabled_reason FROM endpoints WHERE id = ? AND state = 'disabled'"
    async with asyncio.timeout(60):
        while not (found := attempts.rows(query, webhook_id)):
            await asyncio.sleep(0.02)
    return str(found[0][0])


async def until_made(attempts: Attempts, delivery_id: str, count: int) -> None:
    """Wait until a delivery has had so many attempts."""
    query = "SELECT COUNT(*) FROM attempts WHERE delivery_id = ?"
    async with asyncio.timeout(60):
        while attempts.rows(query, delivery_id)[0][0] < count:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [(410, (), "410"), (200, ("webhook-delivery: disable",), "asked"), (500, ("Webhook-Delivery: disable",), "asked")],
)
async def test_row_33_410_and_disable_end_deliveries_at_once(
    chat: Chat, attempts: Attempts, status: int, headers: tuple[str, ...], reason: str
) -> None:
    """Nothing more is sent, what waits is kept, and others have all their deliveries."""
    gone, sink = HostileSink(says(status, *headers)), Sink()
    await gone.start()
    await sink.start()
    gone_id = await chat.add_webhook(gone.url)
    await chat.add_webhook(sink.url)
    for number in range(3):
        await chat.post(f"message {number}")
    working = working_for(chat)
    working.start()
    try:
        why = await until_disabled(attempts, gone_id)
        await sink.until(3)
    finally:
        await working.stop()
        await gone.stop()
        await sink.stop()
    assert reason in why
    [attempt] = attempts.of(gone_id)
    assert len(gone.received) == 1 and attempt.status == status
    states = [
        row[0] for row in attempts.rows("SELECT state FROM deliveries WHERE endpoint_id = ? ORDER BY sequence", gone_id)
    ]
    assert states[0] == ("delivered" if status == 200 else "pending")
    assert len(states) == 3 and set(states[1:]) <= {"pending", "queued"}


async def test_row_33_abort_message_ends_one_delivery(chat: Chat, attempts: Attempts) -> None:
    """It is dead without another attempt; the endpoint's other deliveries go on."""
    left = ["webhook-delivery: abort-message"]

    async def abort_once(connection: Any) -> None:
        await (says(500, left.pop()) if left else says(200))(connection)

    sink = HostileSink(abort_once)
    await sink.start()
    webhook_id = await chat.add_webhook(sink.url)
    await chat.post("not this one")
    await chat.post("but this one")
    working = working_for(chat)
    working.start()
    try:
        aborted, other = await attempts.until(webhook_id, 2)
    finally:
        await working.stop()
        await sink.stop()
    assert (aborted.failure_class, aborted.number, aborted.state) == ("status", 1, "dead")
    assert "abort-message" in aborted.detail
    assert (other.failure_class, other.number, other.state) == (None, 1, "delivered")


async def test_row_33_429_is_not_attempted_before_its_time(chat: Chat, attempts: Attempts) -> None:
    """Retry-After 120: not a second earlier, and then at once; other endpoints have their deliveries meanwhile."""
    busy, sink = HostileSink(says(429, "Retry-After: 120")), Sink()
    await busy.start()
    await sink.start()
    busy_id = await chat.add_webhook(busy.url)
    await chat.add_webhook(sink.url)
    await chat.post("for both")
    working = working_for(chat)
    working.start()
    try:
        [refused] = await attempts.until(busy_id)
        assert refused.next_attempt_at - refused.ended_at == 120_000
        await sink.until(1)
        working.clock.late_by_ms = 119_000
        await chat.post("all endpoints wake, and look at the clock")
        await sink.until(2)
        busy.behaviour = says(200)
        working.clock.late_by_ms = 121_000
        await chat.post("once more")
        await until_made(attempts, refused.delivery_id, 2)
        await sink.until(3)
    finally:
        await working.stop()
        await busy.stop()
        await sink.stop()
    _, again = [each for each in attempts.of(busy_id) if each.delivery_id == refused.delivery_id]
    assert again.started_at - refused.ended_at >= 120_000 and again.failure_class is None


async def test_row_33_retry_after_in_every_form(chat: Chat, attempts: Attempts) -> None:
    """Seconds or a date, never more than a day; what makes no sense leaves it to the schedule."""
    now = SystemClock().now_ms() / 1000
    forms = {
        "120": (120, 120),
        formatdate(now + 600, usegmt=True): (500, 600),  # of a moment ago, in whole seconds
        "Thu, 01 Jan 2099 00:00:00 GMT": (86_400, 86_400),
        "99999999999999999999": (86_400, 86_400),
        formatdate(now - 600, usegmt=True): (0, 1),
        "-120": (0, 1),
        "a while": (0, 1),
    }
    sinks = {form: HostileSink(says(503, f"Retry-After: {form}")) for form in forms}
    webhooks = {}
    for form, sink in sinks.items():
        await sink.start()
        webhooks[form] = await chat.add_webhook(sink.url)
    await chat.post("Hello")
    working = working_for(chat, webhook_retry_schedule=(SOON,))
    working.start()
    try:
        for form, (least, most) in forms.items():
            if most > 1:
                [attempt] = await attempts.until(webhooks[form])
                wait = (attempt.next_attempt_at - attempt.ended_at) / 1000
                assert least <= wait <= most, form
            else:
                [_, second] = await attempts.until(webhooks[form], 2)
                assert second.state == "dead", form
    finally:
        await working.stop()
        for sink in sinks.values():
            await sink.stop()


async def test_row_41_reply_cut_in_the_middle_of_its_body(chat: Chat, attempts: Attempts, tmp_path: Path) -> None:
    """The status had come, and it is what counts: a success, with a note that the rest is missing."""
    sink = HostileSink(breaks_off)
    await sink.start()
    worker = WorkerProcess(tmp_path / "data", CAMPFIRE_WEBHOOK_RETRY_SCHEDULE="600")
    webhook_id = await chat.add_webhook(sink.url)
    worker.start()
    try:
        await chat.post("Hello")
        [attempt] = await attempts.until(webhook_id)
    finally:
        worker.end()
        await sink.stop()
    assert (attempt.failure_class, attempt.status, attempt.state, attempt.tries) == (None, 200, "delivered", 1)
    assert attempt.detail == "delivered; the response was cut off after 19 bytes"
    assert attempt.excerpt == b"thanks for the mess" and len(sink.received) == 1
