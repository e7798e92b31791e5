import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from outbox_support.chat import SECRET
from outbox_support.sink import Sink
from standardwebhooks import Webhook

from campfire.clock import SystemClock
from campfire.config import Settings
from outbox.address_guard import AddressGuard
from outbox.reading import readable
from outbox.sender import MOST_KEPT, MOST_READ, Sender

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
    assert outcome.failure_class == "redirect" and "http://169.254.169.254," in outcome.detail
    assert outcome.excerpt.startswith(b"Location: http://169.254.169.254/latest/meta-data\n")
    assert len(sink.received) == 1


@pytest.mark.parametrize("place", ["/{}", "?said={}", "//{}@other.example.com/", "https://other.example.com/{}#{}"])
async def test_a_redirect_that_says_back_what_it_was_sent_is_not_quoted(sender: Sender, sink: Sink, place: str) -> None:
    """In the detail, that is, which stays in logs and in the outbox; the excerpt goes with the message."""

    async def say_back(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": place.replace("{}", (await request.json())["hello"])})

    sink.answer = say_back
    outcome = await sender.attempt("msg_1", sink.url, b'{"hello": "Quetzalcoatl"}', [SECRET])
    assert outcome.failure_class == "redirect" and "Quetzalcoatl" not in outcome.detail
    assert b"Quetzalcoatl" in outcome.excerpt


async def test_an_endless_answer_is_cut_off(sender: Sender, sink: Sink) -> None:
    """No more than 16 KiB of a response is read, and 4 KiB kept."""

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
    assert outcome.failure_class is None
    assert (outcome.timings.bytes_read, len(outcome.excerpt)) == (MOST_READ, MOST_KEPT)


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
    async with asyncio.timeout(60):
        outcome = await sender.attempt("msg_1", sink.url, BODY, [SECRET])
    released.set()
    assert outcome.failure_class == "timeout"


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
    assert outcome.ends == ("gone" if status == 410 else None)


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


@pytest.mark.parametrize(
    ("wish", "status", "ends", "is_final"),
    [
        ("disable", 200, "asked", False),
        ("disable", 500, "asked", False),
        ("abort-message", 500, None, True),
        (" Abort-Message ", 429, None, True),
        ("please stop", 500, None, False),
        (None, 410, "gone", False),
    ],
)
async def test_a_receiver_can_say_that_it_wants_no_more(
    sender: Sender, sink: Sink, wish: str | None, status: int, ends: str | None, is_final: bool
) -> None:
    """By `webhook-delivery`, of this delivery or of all; what it says otherwise changes nothing."""

    async def ask(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"webhook-delivery": wish} if wish else None)

    sink.answer = ask
    outcome = await sender.attempt("msg_1", sink.url, BODY, [SECRET])
    assert (outcome.ends, outcome.is_final) == (ends, is_final)
    assert (outcome.failure_class is None) == (status == 200)


async def test_each_phase_is_timed_and_a_connection_used_again_is_known(sender: Sender, sink: Sink) -> None:
    """With the address that answered, and how much it said."""
    new = (await sender.attempt("msg_1", sink.url.replace("127.0.0.1", "localhost"), BODY, [SECRET])).timings
    again = (await sender.attempt("msg_2", sink.url.replace("127.0.0.1", "localhost"), BODY, [SECRET])).timings
    assert (new.tries, new.peer, new.is_reused, new.bytes_read) == (1, "127.0.0.1", False, len("thanks"))
    assert (again.tries, again.peer, again.is_reused, again.resolve_ms) == (1, "127.0.0.1", True, None)
    for phase in (new.resolve_ms, new.connect_ms, new.first_byte_ms, new.body_ms, again.first_byte_ms, again.body_ms):
        assert phase is not None and phase >= 0


async def test_a_wait_that_the_deadline_would_end_is_not_begun() -> None:
    """Tries at the network never last longer than the attempt may, and the failure is told, not the deadline."""
    impatient = Sender(AddressGuard(LOOPBACK), SystemClock(), timeout=0.1)
    await impatient.open()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    outcome = await impatient.attempt("msg_1", f"http://127.0.0.1:{port}/", BODY, [SECRET])
    await impatient.close()
    assert (outcome.failure_class, outcome.timings.tries) == ("network", 1)


async def test_every_try_of_an_attempt_is_counted(sender: Sender, sink: Sink) -> None:
    """An attempt that came through at the third try says so."""
    left = [None, None]

    async def hang_up_twice(request: web.Request) -> web.StreamResponse:
        if left:
            left.pop()
            assert request.transport is not None
            request.transport.close()
        return web.Response()

    sink.answer = hang_up_twice
    outcome = await sender.attempt("msg_1", sink.url, BODY, [SECRET])
    assert (outcome.failure_class, outcome.timings.tries, len(sink.received)) == (None, 3, 3)


async def test_a_name_that_does_not_exist_is_not_tried_again_at_once() -> None:
    """A moment later it would not exist either."""
    asked: list[str] = []

    def nobody(host: str, *_arguments: Any, **_options: Any) -> list[Any]:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    sender = Sender(AddressGuard(), SystemClock(), timeout=30.0, look_up=nobody)
    await sender.open()
    outcome = await sender.attempt("msg_1", "https://nowhere.example.com/", BODY, [SECRET])
    await sender.close()
    assert (outcome.failure_class, outcome.timings.tries, asked) == ("network", 1, ["nowhere.example.com"])


async def test_what_a_receiver_says_can_be_written_down_and_shown() -> None:
    """Bytes that are no text end nobody's worker, and no terminal is told what to do."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}}")
        writer.write(
            b"HTTP/1.1 302 Found\r\nLocation: http://\xff\x1bc\xe2\x80\xae/\x1b[2J\r\nContent-Length: 0\r\n\r\n"
        )
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    sender = Sender(AddressGuard(LOOPBACK), SystemClock(), timeout=30.0)
    await sender.open()
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    outcome = await sender.attempt("msg_1", url, BODY, [SECRET])
    await sender.close()
    server.close()
    assert outcome.failure_class == "redirect", outcome
    assert outcome.detail.isascii() and outcome.detail.isprintable() and "\\x1bc" in outcome.detail
    assert "\\x1b[2J" in readable(outcome.excerpt) and "\x1b" not in readable(outcome.excerpt)


def test_an_excerpt_is_made_safe_to_look_at() -> None:
    """Lines stay lines; whatever would move the cursor or turn the text around is written out."""
    assert readable(b"a\n\tb\x1b[2J\xff\r") == "a\n\tb\\x1b[2J\\xff\\x0d"
    assert readable("é\u202e\u2028\x00\x9b".encode()) == "é\\u202e\\u2028\\x00\\x9b"
