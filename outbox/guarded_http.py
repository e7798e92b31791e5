"""HTTP to addresses that somebody else named: every connection goes through the address guard.

The session follows nothing, keeps nothing and trusts nothing. What aiohttp would connect to without
resolving, an address in numbers, is asked about by `usable_target`; call it for every URL, redirects included.
"""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

import aiohttp
from yarl import URL

from campfire import __version__
from outbox.address_guard import AddressBlocked, AddressGuard, GuardedResolver, LookUp, is_numeric
from outbox.interim_responses import PatientHandler
from outbox.timings import now_watching, trace_config

if TYPE_CHECKING:
    from aiohttp.client import ClientTimeout
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

Kind = TypeVar("Kind", bound=BaseException)

_MOST_HEADERS = 100
_LONGEST_HEADER = 8190
"""Lines of a response's head, and bytes of each: more than any server needs, and not a megabyte in all."""
_BUFFER = 16 * 1024
"""Bytes of a body that are taken in ahead of whoever reads it, about."""


class _GuardedConnector(aiohttp.TCPConnector):
    """Looks where each connection really goes before anything is sent on it, and tells the watch."""

    def __init__(self, guard: AddressGuard, look_up: LookUp | None, connections: int) -> None:
        super().__init__(
            resolver=GuardedResolver(guard, look_up), use_dns_cache=False, limit=connections, keepalive_timeout=30
        )
        self._guard = guard
        self._factory = cast("partial[ResponseHandler]", partial(PatientHandler, loop=asyncio.get_running_loop()))

    async def connect(self, req: "ClientRequest", traces: "list[Trace]", timeout: "ClientTimeout") -> "Connection":
        connection = await super().connect(req, traces, timeout)
        transport = connection.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        if peer is None:  # gone before it was used: sending will fail, and say so
            return connection
        watch = now_watching.get()
        if watch is not None:
            watch.peer = str(peer[0])
        try:
            self._guard.check(str(peer[0]), int(peer[1]), name=req.url.raw_host)
        except AddressBlocked:
            connection.close()
            raise
        return connection


def open_guarded_session(
    guard: AddressGuard, *, connections: int = 0, look_up: LookUp | None = None
) -> aiohttp.ClientSession:
    """A session without cookies, proxies, decompression or a timeout of its own; at most `connections` (0: any).

    `look_up` resolves names, in a thread; the system does if it is not given.
    """
    return aiohttp.ClientSession(
        connector=_GuardedConnector(guard, look_up, connections),
        trace_configs=[trace_config()],
        max_headers=_MOST_HEADERS,
        max_line_size=_LONGEST_HEADER,
        max_field_size=_LONGEST_HEADER,
        read_bufsize=_BUFFER,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None),
        headers={"User-Agent": f"Campfire/{__version__}", "Accept-Encoding": "identity"},
    )


def usable_target(guard: AddressGuard, url: str | URL) -> URL:
    """The URL, if the server may ask for it as far as can be told before its name is resolved.

    Raises `ValueError` for another scheme, no host, or credentials in the address, and `AddressBlocked`
    for a host in numbers that the guard refuses.
    """
    target = URL(url)
    if target.scheme not in ("http", "https") or not target.host:
        raise ValueError("it must be http:// or https:// and name a host")
    if target.user is not None or target.password is not None:
        raise ValueError("it must not hold a user name or password")
    if is_numeric(target.raw_host or ""):
        guard.check(target.host.strip("[]"), target.port or 0)
    return target


def within(error: BaseException, kind: type[Kind]) -> Kind | None:
    """The error of this kind that is why a request failed, if one is: aiohttp wraps what it is given."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, kind):
            return seen
        inner = getattr(seen, "os_error", None)
        seen = inner if isinstance(inner, BaseException) and inner is not seen else seen.__cause__
    return None


def blocked_within(error: BaseException) -> AddressBlocked | None:
    """What the guard said, if that is why a request failed."""
    return within(error, AddressBlocked)
