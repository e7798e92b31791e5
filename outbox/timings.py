"""Where the time of an attempt went: what aiohttp says of a request while it makes it.

The clock is the machine's own for intervals: a deadline is counted on it too, whatever the wall clock does.
"""

import time
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import aiohttp
import msgspec

Moment = float
"""Seconds, as `time.perf_counter` counts them."""


class Timings(msgspec.Struct, frozen=True):
    """Phases in milliseconds, of the last of `tries`; None for one that it did not come to.

    The phase that it ended in holds how long that lasted. `resolve_ms` and `connect_ms` (TLS included) are None
    where a connection was used again, too. `first_byte_ms` is from the request sent to the response's head,
    `body_ms` what followed. `bytes_read` are of the response's body. `peer` is the address that was connected to.
    """

    tries: int = 1
    peer: str | None = None
    resolve_ms: float | None = None
    connect_ms: float | None = None
    first_byte_ms: float | None = None
    body_ms: float | None = None
    bytes_read: int = 0

    @property
    def is_reused(self) -> bool:
        """Whether the request went over a connection that was there already."""
        return self.peer is not None and self.connect_ms is None


class Watch:
    """Follows one try, as `now_watching`, from before its connection to the end of its response."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.peer: str | None = None
        self.bytes_read = 0
        self.connecting: Moment | None = None
        self.resolving: Moment | None = None
        self.resolved: Moment | None = None
        self.connected: Moment | None = None
        self.sent: Moment | None = None
        self.answered: Moment | None = None

    def timings(self) -> Timings:
        """What is known by now; the try is over."""
        now = time.perf_counter()
        resolve = connect = first_byte = body = None
        if self.connecting is not None:
            resolve = 0.0 if self.resolving is None else _between(self.resolving, self.resolved or now)
            if self.resolving is None or self.resolved is not None:
                connect = _between(self.resolved or self.connecting, self.connected or now)
        if self.sent is not None:
            first_byte = _between(self.sent, self.answered or now)
        if self.answered is not None:
            body = _between(self.answered, now)
        return Timings(self._number, self.peer, resolve, connect, first_byte, body, self.bytes_read)


now_watching: ContextVar[Watch | None] = ContextVar("now_watching", default=None)
"""The try that this task is making, if anybody wants to know how it went."""


def trace_config() -> aiohttp.TraceConfig:
    """Tells the session's watch of each step; whoever makes a request passes it as `trace_request_ctx`."""
    config = aiohttp.TraceConfig()
    config.on_connection_create_start.append(_noting("connecting"))
    config.on_dns_resolvehost_start.append(_noting("resolving"))
    config.on_dns_resolvehost_end.append(_noting("resolved"))
    config.on_connection_create_end.append(_noting("connected"))
    config.on_request_headers_sent.append(_noting("sent"))
    config.on_request_chunk_sent.append(_noting("sent"))
    config.on_request_end.append(_noting("answered"))
    return config


def _noting(moment: str) -> Any:
    async def note(_session: aiohttp.ClientSession, context: SimpleNamespace, _parameters: Any) -> None:
        watch = context.trace_request_ctx
        if watch is not None:
            setattr(watch, moment, time.perf_counter())

    return note


def _between(start: Moment, end: Moment) -> float:
    return round(max(0.0, end - start) * 1000, 3)
