"""One attempt to deliver: sign, connect to a checked address, judge the answer."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import aiohttp
import msgspec

from campfire.clock import Clock
from outbox import signing
from outbox.address_guard import AddressBlocked, AddressGuard
from outbox.guarded_http import blocked_within, open_guarded_session, usable_target
from outbox.schedule import retry_after_seconds

Headers = Callable[[], dict[str, str]]

FailureClass = Literal["network", "timeout", "tls", "status", "redirect", "blocked", "expired"]

MOST_READ = 16 * 1024
"""Bytes of a response that are read; whatever follows is cut off with the connection."""

_NOTHING: Mapping[str, str] = {}

_IN_LINE_RETRIES = (0.2, 0.4)
"""Seconds before the second and the third try at a connection that failed, within one attempt."""


class Answer(msgspec.Struct, frozen=True):
    """What a bot says in the room: a text (UTF-8), or a file if it has a name."""

    body: bytes
    file_name: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What became of an attempt. `failure_class` None is success; `retry_after` in seconds; `answer` is a bot's."""

    failure_class: FailureClass | None
    detail: str
    status: int | None = None
    excerpt: bytes = b""
    retry_after: float | None = None
    answer: Answer | None = None
    may_end_deliveries: bool = True

    @property
    def is_final(self) -> bool:
        """Whether another attempt could not end otherwise."""
        return self.failure_class in ("blocked", "expired")

    @property
    def is_gone(self) -> bool:
        """The receiver says that it will never want anything again (410)."""
        return self.status == 410 and self.may_end_deliveries


Judge = Callable[[aiohttp.ClientResponse], Awaitable[Outcome]]


class Sender:
    """Sends from a session that follows nothing, keeps nothing and trusts nothing."""

    def __init__(self, guard: AddressGuard, clock: Clock, *, timeout: float) -> None:
        self._guard = guard
        self._clock = clock
        self._timeout = timeout
        self._session: aiohttp.ClientSession

    async def open(self) -> None:
        self._session = open_guarded_session(self._guard)

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
        """Send once, within the timeout or `seconds` in all, response included, and let `judge` say what it means.

        `headers` are made anew for each try. Raises nothing that a receiver can cause.
        """
        seconds = self._timeout if seconds is None else seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._with_quick_retries(url, body, headers, judge or self.judged)
        except TimeoutError:
            return Outcome("timeout", f"no complete answer within {seconds:g} s")

    async def _with_quick_retries(self, url: str, body: bytes, headers: Headers, judge: Judge) -> Outcome:
        for wait in (*_IN_LINE_RETRIES, None):
            outcome = await self._once(url, body, headers(), judge)
            if outcome.failure_class != "network" or wait is None:
                return outcome
            await asyncio.sleep(wait)
        raise AssertionError("the last try always returns")

    async def _once(self, url: str, body: bytes, headers: dict[str, str], judge: Judge) -> Outcome:
        try:
            target = usable_target(self._guard, url)
            response = await self._session.post(target, data=body, headers=headers, allow_redirects=False)
        except AddressBlocked as error:
            return Outcome("blocked", str(error))
        except (aiohttp.InvalidURL, ValueError) as error:
            return Outcome("blocked", f"the address cannot be used: {error}")
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            return Outcome("tls", _plain(error))
        except (aiohttp.ClientError, OSError) as error:
            blocked = blocked_within(error)
            if blocked is not None:
                return Outcome("blocked", str(blocked))
            return Outcome("network", _plain(error))
        async with response:
            return await judge(response)

    async def judged(self, response: aiohttp.ClientResponse) -> Outcome:
        """The status decides; the body is only for whoever asks why."""
        status = response.status
        excerpt = await self._excerpt(response)
        if 200 <= status < 300:
            return Outcome(None, "delivered", status, excerpt)
        if 300 <= status < 400:
            where = response.headers.get("Location", "nowhere")[:500]
            return Outcome("redirect", f"redirects to {where}, which is not followed", status, excerpt)
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        return Outcome(
            "status",
            f"answered {status}",
            status,
            excerpt,
            retry_after_seconds(response.headers.get("Retry-After"), now),
        )

    async def _excerpt(self, response: aiohttp.ClientResponse) -> bytes:
        body = b""
        try:
            while len(body) < MOST_READ:
                more = await response.content.read(MOST_READ - len(body))
                if not more:
                    return body
                body += more
        except (aiohttp.ClientError, OSError):
            return body  # cut off in the middle: the status had arrived, and it is what counts
        response.close()  # there is more than we want; the connection is not worth keeping for it
        return body


def _plain(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]
