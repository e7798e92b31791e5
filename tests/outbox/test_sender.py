import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from outbox_support.chat import SECRET
from outbox_support.sink import Sink
from standardwebhooks import Webhook

from campfire.clock import SystemClock
from campfire.config import Settings
from outbox.address_guard import AddressGuard
from outbox.sender import MOST_READ, Sender

LOOPBACK = Settings.from_environment({"CAMPFIRE_WEBHOOK_ALLOW": "127.0.0.0/8,::1/128"}).webhook_allow
OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrs="
BODY = json.dumps({"type": "message.posted", "data": {"body": "héllo"}}).encode()


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    sender = Sender(AddressGuard(LOOPBACK), SystemClock(), timeout=1.0)
    await sender.open()
    yield sender
    await sender.close()


@pytest.mark.parametrize("secret", [SECRET, OTHER_SECRET])
async def test_an_independent_verifier_accepts_either_signature(sender: Sender, sink: Sink, secret: str) -> None:
    """While secrets rotate, a receiver may hold the old or the new one."""
    outcome = await sender.attempt("msg_1", sink.url, BODY, [SECRET, OTHER_SECRET])
    assert outcome.failure_class is None
    [received] = sink.received
    assert Webhook(secret).verify(received.body, received.headers) == json.loads(BODY)


async def test_a_redirect_is_a_failure_and_is_not_followed(sender: Sender, sink: Sink) -> None:
    """The landing page's 200 would be no delivery, and its address was never checked."""

    async def elsewhere(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("http://169.254.169.254/latest/meta-data")

    sink.answer = elsewhere
    outcome = await sender.attempt("msg_1", sink.url, BODY, [SECRET])
    assert outcome.failure_class == "redirect" and "169.254.169.254" in outcome.detail
    assert len(sink.received) == 1


async def test_an_endless_answer_is_cut_off(sender: Sender, sink: Sink) -> None:
    """No more than 16 KiB of a response is ever held."""

    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65_536)
        except ConnectionError:
            return response

    sink.answer = flood
    outcome = await sender.attempt("msg_1", sink.url, BODY, [SECRET])
    assert outcome.failure_class is None and len(outcome.excerpt) == MOST_READ


async def test_the_deadline_covers_the_body(sender: Sender, sink: Sink) -> None:
    """A receiver that answers a byte at a time holds nobody longer than one that says nothing."""
    released = asyncio.Event()

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while not released.is_set():
                await response.write(b".")
                await asyncio.sleep(0.05)
        except ConnectionError:
            return response
        return response

    sink.answer = drip
    began = time.monotonic()
    outcome = await sender.attempt("msg_1", sink.url, BODY, [SECRET])
    released.set()
    assert outcome.failure_class == "timeout" and time.monotonic() - began < 10


async def test_an_answer_cut_off_after_its_status_counts(sender: Sender, sink: Sink) -> None:
    """The receiver has said yes; what it wanted to add does not matter."""

    async def break_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"tha")
        assert request.transport is not None
        request.transport.close()
        return response

    sink.answer = break_off
    outcome = await sender.attempt("msg_1", sink.url, BODY, [SECRET])
    assert outcome.failure_class is None and outcome.status == 200


async def test_a_connection_that_fails_is_tried_three_times_at_once(sender: Sender, sink: Sink) -> None:
    """Two quick retries within one attempt: most network errors are gone a moment later."""

    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    sink.answer = hang_up
    outcome = await sender.attempt("msg_1", sink.url, BODY, [SECRET])
    assert outcome.failure_class == "network"
    assert {received.webhook_id for received in sink.received} == {"msg_1"} and len(sink.received) == 3


@pytest.mark.parametrize(
    ("status", "retry_after", "expected"),
    [(500, None, None), (429, "17", 17.0), (503, "junk", None), (410, None, None)],
)
async def test_a_refusal_keeps_its_status_and_retry_after(
    sender: Sender, sink: Sink, status: int, retry_after: str | None, expected: float | None
) -> None:
    """So that the schedule can do as the receiver asks."""

    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Retry-After": retry_after} if retry_after else None)

    sink.answer = refuse
    outcome = await sender.attempt("msg_1", sink.url, BODY, [SECRET])
    assert (outcome.failure_class, outcome.status, outcome.retry_after) == ("status", status, expected)
    assert outcome.is_gone == (status == 410)


@pytest.mark.parametrize("host", ["10.255.255.1", "[::ffff:169.254.169.254]", "2852039166", "localhost.localdomain"])
async def test_an_address_inside_is_blocked_before_anything_is_sent(host: str) -> None:
    """Whether it is a number or a name; and another attempt could not end otherwise."""
    sender = Sender(AddressGuard(), SystemClock(), timeout=2.0)
    await sender.open()
    outcome = await sender.attempt("msg_1", f"http://{host}:8080/", BODY, [SECRET])
    await sender.close()
    assert outcome.failure_class in ("blocked", "network")
    assert outcome.failure_class == "blocked" or "localdomain" in host
    assert outcome.is_final == (outcome.failure_class == "blocked")


async def test_plain_http_on_a_tls_address_is_a_tls_failure(sender: Sender, sink: Sink) -> None:
    """And is never sent in the clear instead."""
    outcome = await sender.attempt("msg_1", sink.url.replace("http://", "https://"), BODY, [SECRET])
    assert outcome.failure_class == "tls" and sink.received == []
