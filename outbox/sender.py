"""One attempt to deliver: sign, connect to a checked address, judge the answer."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

import aiohttp
import msgspec

from campfire.clock import Clock
from outbox import signing
from outbox.address_guard import AddressBlocked, AddressGuard, LookUp
from outbox.guarded_http import open_guarded_session, usable_target, within
from outbox.reading import harmless, read_at_most
from outbox.schedule import retry_after_seconds
from outbox.timings import Timings, Watch, now_watching

Headers = Callable[[], dict[str, str]]

FailureClass = Literal["network", "timeout", "tls", "status", "redirect", "blocked", "expired"]

MOST_READ = 16 * 1024
"""Bytes of a response that are read; whatever follows is cut off with the connection."""
MOST_KEPT = 4 * 1024
"""Bytes of them that are kept for whoever asks why."""

REDIRECTED = "redirects elsewhere, which is not followed"
"""What is said of a redirect where the receiver is not to be quoted."""

_NOTHING: Mapping[str, str] = {}

_IN_LINE_RETRIES = (0.2, 0.4)
"""Seconds before the second and the third try at a connection that failed, within one attempt."""

_TLS_ALERT = r"\x15\x03"
"""What a server that speaks TLS answers to somebody who does not, as aiohttp quotes it."""


class Answer(msgspec.Struct, frozen=True):
    """What a bot says in the room: a text (UTF-8), or a file if it has a name."""

    body: bytes
    file_name: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What became of an attempt. `failure_class` None is success; `retry_after` in seconds; `answer` is a bot's.

    `asked` is what the receiver wants of us from now on, by its header `webhook-delivery`.
    """

    failure_class: FailureClass | None
    detail: str
    status: int | None = None
    excerpt: bytes = b""
    retry_after: float | None = None
    answer: Answer | None = None
    may_end_deliveries: bool = True
    asked: Literal["disable", "abort-message"] | None = None
    timings: Timings = Timings()

    @property
    def unquoted(self) -> "Outcome":
        """The same with nothing in it that the receiver said in its own words."""
        detail = REDIRECTED if self.failure_class == "redirect" else self.detail
        return msgspec.structs.replace(self, detail=detail, excerpt=b"", answer=None)

    @property
    def is_final(self) -> bool:
        """Whether another attempt could not end otherwise, or is not wanted."""
        return self.failure_class in ("blocked", "expired") or self.asked == "abort-message"

    @property
    def ends(self) -> Literal["gone", "asked"] | None:
        """How the receiver said that it wants nothing any more: by 410, or by `webhook-delivery: disable`."""
        if not self.may_end_deliveries:
            return None
        if self.status == 410:
            return "gone"
        return "asked" if self.asked == "disable" else None


Judge = Callable[[aiohttp.ClientResponse], Awaitable[Outcome]]


class Sender:
    """Sends from a session that follows nothing, keeps nothing and trusts nothing."""

    def __init__(self, guard: AddressGuard, clock: Clock, *, timeout: float, look_up: LookUp | None = None) -> None:
        self._guard = guard
        self._clock = clock
        self._timeout = timeout
        self._look_up = look_up
        self._session: aiohttp.ClientSession

    async def open(self) -> None:
        self._session = open_guarded_session(self._guard, look_up=self._look_up)

    async def close(self) -> None:
        await self._session.close()

    async def attempt(
        self,
        webhook_id: str,
        url: str,
        payload: bytes,
        secrets: Sequence[str],
        *,
        extra: Mapping[str, str] = _NOTHING,
        seconds: float | None = None,
    ) -> Outcome:
        """Deliver a webhook once; see `headers_for` and `post`."""
        return await self.post(url, payload, self.headers_for(webhook_id, payload, secrets, extra), seconds=seconds)

    def headers_for(
        self, webhook_id: str, payload: bytes, secrets: Sequence[str], extra: Mapping[str, str] = _NOTHING
    ) -> Headers:
        """The headers of a webhook and `extra`, each time for that moment; without `secrets` it is not signed."""

        def headers() -> dict[str, str]:
            signed = signing.headers(webhook_id, self._clock.now_ms() // 1000, payload, secrets)
            return {**extra, **signed, "Content-Type": "application/json"}

        return headers

    async def post(
        self, url: str, body: bytes, headers: Headers, *, judge: Judge | None = None, seconds: float | None = None
    ) -> Outcome:
        """Send, within the timeout or `seconds` for everything together, and let `judge` say what a response means.

        Up to three tries, if the network fails before there is a response, each with `headers` made anew.
        Raises nothing that a receiver can cause.
        """
        seconds = self._timeout if seconds is None else seconds
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        for number, wait in enumerate((*_IN_LINE_RETRIES, None), 1):
            watch = Watch(number)
            try:
                async with asyncio.timeout_at(ends_at):
                    outcome, may_pass = await self._watched(watch, url, body, headers(), judge or self.judged)
            except TimeoutError:
                outcome, may_pass = Outcome("timeout", f"no complete answer within {seconds:g} s"), False
            # A wait that the deadline would end tells nobody anything: the failure itself does.
            if not may_pass or wait is None or loop.time() + wait >= ends_at:
                return msgspec.structs.replace(outcome, timings=watch.timings())
            await asyncio.sleep(wait)
        raise AssertionError("the last try always returns")

    async def _watched(
        self, watch: Watch, url: str, body: bytes, headers: dict[str, str], judge: Judge
    ) -> tuple[Outcome, bool]:
        token = now_watching.set(watch)
        try:
            return await self._once(watch, url, body, headers, judge)
        finally:
            now_watching.reset(token)

    async def _once(
        self, watch: Watch, url: str, body: bytes, headers: dict[str, str], judge: Judge
    ) -> tuple[Outcome, bool]:
        """What one try came to, and whether another one a moment later could come to something else."""
        try:
            target = usable_target(self._guard, url)
            response = await self._session.post(
                target, data=body, headers=headers, allow_redirects=False, trace_request_ctx=watch
            )
        except AddressBlocked as error:
            return Outcome("blocked", str(error)), False
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _failure(error)
        async with response:
            return await judge(response), False

    async def judged(self, response: aiohttp.ClientResponse) -> Outcome:
        """The status decides; the body is only for whoever asks why."""
        status = response.status
        excerpt, cut_off = await _excerpt(response)
        asked = _asked(response)
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        failure: FailureClass | None = "status"
        said, retry_after = f"answered {status}", retry_after_seconds(response.headers.get("Retry-After"), now)
        if 200 <= status < 300:
            failure, said, retry_after = None, "delivered", None
        elif 300 <= status < 400:
            location = response.headers.get("Location", "")
            said = f"redirects to {_place_of(location)}, which is not followed"
            failure, retry_after = "redirect", None
            excerpt = (f"Location: {location}\n\n".encode(errors="backslashreplace") + excerpt)[:MOST_KEPT]
        if asked is not None:
            said += f"; asked by webhook-delivery: {asked}"
        return Outcome(failure, said + cut_off, status, excerpt, retry_after, asked=asked)


def _place_of(location: str) -> str:
    """Where a redirect leads, without what a receiver may say there: a path or a query may hold what it was sent,
    or a secret, and the detail stays in logs. All of it is in the excerpt, which is forgotten when it must be.
    """
    try:
        parts = urlsplit(location)
    except ValueError:
        return "an address that cannot be read"
    if not location:
        return "nowhere"
    if not parts.netloc:
        return "another path of its own"
    return harmless(f"{parts.scheme or 'the same scheme'}://{parts.netloc.rpartition('@')[2]}", 300)


async def _excerpt(response: aiohttp.ClientResponse) -> tuple[bytes, str]:
    """The beginning of the body, and what is to be said if it broke off: the status had arrived, and is what counts."""
    body = await read_at_most(response, MOST_READ)
    note = f"; the response was cut off after {len(body.content)} bytes" if body.broken else ""
    return body.content[:MOST_KEPT], note


def _asked(response: aiohttp.ClientResponse) -> Literal["disable", "abort-message"] | None:
    for value in response.headers.getall("webhook-delivery", ()):
        match value.strip().lower():
            case "disable":
                return "disable"
            case "abort-message":
                return "abort-message"
    return None


def _failure(error: aiohttp.ClientError | OSError | ValueError) -> tuple[Outcome, bool]:
    """What it means that there is no response, and whether that may be otherwise a moment later."""
    blocked = within(error, AddressBlocked)
    if blocked is not None:
        return Outcome("blocked", str(blocked)), False
    if isinstance(error, aiohttp.ClientSSLError) or within(error, ssl.SSLError) is not None:
        return Outcome("tls", _plain(error)), False
    if isinstance(error, ValueError):  # only now: what Python says of certificates is a ValueError, too
        return Outcome("blocked", harmless(f"the address cannot be used: {error}")), False
    if isinstance(error, aiohttp.ClientResponseError):
        if _TLS_ALERT in error.message:
            return Outcome("tls", "the receiver speaks TLS at this address, which begins with http://"), False
        # Only what is wrong: what follows quotes the receiver, who may have said back what is deleted by now.
        return Outcome("network", harmless(f"not an HTTP response: {error.message.partition(':')[0]}")), False
    unknown = within(error, socket.gaierror)
    return Outcome("network", _plain(error)), unknown is None or unknown.errno == socket.EAI_AGAIN


def _plain(error: BaseException) -> str:
    return harmless(f"{type(error).__name__}: {error}")
