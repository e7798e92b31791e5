"""An endpoint is served as it asks for, and as it asks for now."""

import asyncio

import pytest
from aiohttp import web
from outbox_support.chat import SECRET, Chat
from outbox_support.serving import Serving, bodies, refusing
from outbox_support.sink import Sink
from standardwebhooks import Webhook, WebhookVerificationError

from campfire.domain.events import WebhookSecretRotated
from outbox import signing


class Crowd:
    """A receiver that counts how many of its requests are there at once, and lets them go when told to."""

    def __init__(self, sink: Sink) -> None:
        self.here = self.most = 0
        self.may_go = asyncio.Event()
        sink.answer = self.answer

    async def answer(self, _request: web.Request) -> web.StreamResponse:
        self.here += 1
        self.most = max(self.most, self.here)
        await self.may_go.wait()
        self.here -= 1
        return web.Response()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(60):
            while self.here < count:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(("ordering", "at_once"), [("none", 3), ("room", 2), ("endpoint", 1)])
async def test_as_many_are_on_their_way_as_its_concurrency_and_ordering_allow(
    serving: Serving, sink: Sink, ordering: str, at_once: int
) -> None:
    """Three at once if nothing waits for anything, one for each of two rooms, or one in all."""
    crowd = Crowd(sink)
    await serving.add_webhook(sink.url, ordering=ordering, concurrency=3)
    room_id = await serving.add_room("Elsewhere")
    for number in range(4):
        await serving.post(f"here {number}")
        await serving.post(f"elsewhere {number}", room_id)
    serving.start()
    await crowd.until(at_once)
    assert serving.rows("SELECT COUNT(*) FROM deliveries WHERE state = 'sending'") == [(at_once,)]
    crowd.may_go.set()
    await sink.until(8)
    assert crowd.most == at_once


@pytest.mark.parametrize("ordering", ["room", "endpoint"])
async def test_a_room_arrives_in_order_although_every_third_attempt_fails(
    serving: Serving, sink: Sink, ordering: str
) -> None:
    """Retries included, and with as many on their way as there are rooms."""
    attempts = 0

    async def answer(_request: web.Request) -> web.StreamResponse:
        nonlocal attempts
        attempts += 1
        return web.Response(status=500 if attempts % 3 == 0 else 200)

    sink.answer = answer
    await serving.add_webhook(sink.url, ordering=ordering, concurrency=4)
    room_id = await serving.add_room("Elsewhere")
    for number in range(10):
        await serving.post(f"here {number}")
        await serving.post(f"there {number}", room_id)
    serving.start()
    await serving.until_in_state("delivered", 20)
    first_seen = list(dict.fromkeys(bodies(sink.received)))
    for place in ("here", "there"):
        assert [said for said in first_seen if said.startswith(place)] == [f"{place} {n}" for n in range(10)]


async def test_an_endpoint_has_its_own_timeout(serving: Serving, sink: Sink) -> None:
    """And a new one with the next attempt."""
    crowd = Crowd(sink)
    webhook_id = await serving.add_webhook(sink.url, timeout=0.1)
    serving.start()
    await serving.post("Hello")
    await serving.until("SELECT COUNT(*) FROM attempts WHERE failure_class = 'timeout'")
    await serving.change(webhook_id, timeout=30.0)
    crowd.may_go.set()
    await serving.until_in_state("delivered", 1)


async def test_more_may_be_on_their_way_as_soon_as_that_is_said(serving: Serving, sink: Sink) -> None:
    """A change of the concurrency and of the ordering is obeyed with the next claim."""
    crowd = Crowd(sink)
    webhook_id = await serving.add_webhook(sink.url, ordering="endpoint", concurrency=1)
    serving.start()
    for number in range(5):
        await serving.post(f"message {number}")
    await crowd.until(1)
    await serving.change(webhook_id, ordering="none", concurrency=3)
    crowd.may_go.set()
    await serving.until_in_state("delivered", 5)
    crowd.may_go.clear()
    for number in range(5):
        await serving.post(f"more {number}")
    await crowd.until(3)
    assert crowd.most == 3
    crowd.may_go.set()
    await serving.until_in_state("delivered", 10)


async def test_what_is_sent_goes_to_the_address_of_now(serving: Serving, sink: Sink) -> None:
    """What failed at the old address arrives at the new one."""
    refusing(sink, lambda _said: True)
    webhook_id = await serving.add_webhook(sink.url)
    serving.start()
    await serving.post("Hello")
    await sink.until(1)
    moved = Sink()
    await moved.start()
    await serving.change(webhook_id, url=moved.url)
    await moved.until(1)
    await moved.stop()


async def test_every_secret_signs_until_its_own_end(serving: Serving, sink: Sink) -> None:
    """Two rotations in a row: all three sign; an hour later the first is forgotten, a day later only the last signs."""
    webhook_id = await serving.add_webhook(sink.url)
    hour, now = 3_600_000, serving.clock.now_ms()
    fresh = ["whsec_" + letter * 43 + "=" for letter in "AB"]
    for secret, until in zip(fresh, (now + hour, now + 24 * hour), strict=True):
        sealed = serving.engine.sealer.seal(secret)
        rotated = WebhookSecretRotated(
            at=now, webhook_id=webhook_id, sealed_secret=sealed, previous_valid_until=until, by=serving.chat.user_id
        )
        await serving.tell(rotated)
    serving.start()
    await serving.post("now")
    await sink.until(1)
    serving.clock.set_forward(2 * 3600)
    await serving.post("after two hours")
    await sink.until(2)
    serving.clock.set_forward(24 * 3600)
    await serving.post("after a day")
    await sink.until(3)
    counts = [len(each.headers["webhook-signature"].split()) for each in sink.received]
    assert counts == [3, 2, 1]
    assert [_accepts(secret, sink, 0) for secret in (SECRET, *fresh)] == [True, True, True]
    assert _is_among(fresh[0], sink, 1) and not _is_among(SECRET, sink, 1)
    assert _is_among(fresh[1], sink, 2)


def _accepts(secret: str, sink: Sink, number: int) -> bool:
    try:
        Webhook(secret).verify(sink.received[number].body, sink.received[number].headers)
    except WebhookVerificationError:
        return False
    return True


def _is_among(secret: str, sink: Sink, number: int) -> bool:
    """Whether a secret signed; the verifier would also look at the time, which was set forward."""
    received = sink.received[number]
    expected = signing.headers(received.webhook_id, int(received.headers["webhook-timestamp"]), received.body, [secret])
    return expected["webhook-signature"] in received.headers["webhook-signature"].split(" ")


async def test_at_most_ten_secrets_are_kept(serving: Serving, sink: Sink) -> None:
    """However often somebody rotates within a grace period."""
    webhook_id = await serving.add_webhook(sink.url)
    now = serving.clock.now_ms()
    for _ in range(12):
        sealed = serving.engine.sealer.seal(SECRET)
        rotated = WebhookSecretRotated(
            at=now, webhook_id=webhook_id, sealed_secret=sealed, previous_valid_until=now + 10**8, by="Ann"
        )
        await serving.tell(rotated)
    serving.start()
    await serving.post("Hello")
    await sink.until(1)
    assert len(sink.received[0].headers["webhook-signature"].split()) == 10


async def test_after_the_breaker_one_probe_goes_whatever_the_concurrency(chat: Chat, sink: Sink) -> None:
    """The others wait for what becomes of it."""
    serving, crowd = Serving(chat, breaker_seconds=3600.0), Crowd(sink)
    refusing(sink, lambda _said: True)
    await serving.add_webhook(sink.url, ordering="none", concurrency=5)
    for number in range(12):
        await serving.post(f"message {number}")
    serving.start()
    try:
        await serving.until("SELECT COUNT(*) FROM breakers WHERE opened_at IS NOT NULL")
        await serving.until("SELECT COUNT(*) = 0 FROM deliveries WHERE state = 'sending'")
        sink.answer = crowd.answer
        serving.clock.set_forward(3601)  # all of them are due
        await serving.post("wakes the endpoint")
        await crowd.until(1)
        await serving.post("wakes it again")
        await serving.until("SELECT COUNT(*) = 14 FROM deliveries")
        assert serving.rows("SELECT COUNT(*) FROM deliveries WHERE state = 'sending'") == [(1,)]
        crowd.may_go.set()
        await serving.until_in_state("delivered", 14)
    finally:
        crowd.may_go.set()
        await serving.stop()
