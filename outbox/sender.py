"""One attempt to deliver: sign, connect to a checked address, judge the answer."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
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

_IN_LINE_RETRIES = (0.2, 0.4)
"""Seconds before the second and the third try at a connection that failed, within one attempt."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of an attempt. `failure_class` None is success; `retry_after` in seconds."""

    failure_class: FailureClass | None
    detail: str
    status: int | None = None
    excerpt: bytes = b""
    retry_after: float | None = None

    @property
    def is_final(self) -> bool:
        """Whether another attempt could not end otherwise."""
        return self.failure_class in ("blocked", "expired")

    @property
    def is_gone(self) -> bool:
        """The receiver says that it will never want anything again (410)."""
        return self.status == 410


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

    async def attempt(self, webhook_id: str, url: str, payload: bytes, secrets: Sequence[str]) -> Outcome:
        """Deliver a webhook once; see `post`."""

        def headers() -> dict[str, str]:
            signed = signing.headers(webhook_id, self._clock.now_ms() // 1000, payload, secrets)
            return {**signed, "Content-Type": "application/json"}

        return await self.post(url, payload, headers)

    async def post(self, url: str, body: bytes, headers: Headers) -> Outcome:
        """Send once, within the timeout in all, response included. Raises nothing that a receiver can cause.

        `headers` are made anew for each try.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._with_quick_retries(url, body, headers)
        except TimeoutError:
            return Outcome("timeout", f"no complete answer within {self._timeout:g} s")

    async def _with_quick_retries(self, url: str, body: bytes, headers: Headers) -> Outcome:
        for wait in (*_IN_LINE_RETRIES, None):
            outcome = await self._once(url, body, headers())
            if outcome.failure_class != "network" or wait is None:
                return outcome
            await asyncio.sleep(wait)
        raise AssertionError("the last try always returns")

    async def _once(self, url: str, body: bytes, headers: dict[str, str]) -> Outcome:
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
            return await self._judge(response)

    async def _judge(self, response: aiohttp.ClientResponse) -> Outcome:
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
