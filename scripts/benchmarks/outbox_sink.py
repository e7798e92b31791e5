"""A receiver of webhooks and pushes that only notes what came and when.

Runs as a process of its own (`python -m benchmarks.outbox_sink [PORT [slowly]]`), prints its port, ends with SIGTERM.
What is posted is answered with 201, slowly after two seconds, else at once. `GET /count` says how many posts came,
`GET /receipts` gives a `Receipts`.
"""

import asyncio
import gc
import sys
import time
from typing import cast

import msgspec
import uvloop

from benchmarks.load_http import STAMP_DIGITS

_SLOW_SECONDS = 2.0
_TAKEN = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"


class Receipt(msgspec.Struct, frozen=True, array_like=True):
    """`name` is the webhook-id or a push's topic; `stamp` the number in a message's text, or -1; `at` monotonic ns."""

    path: str
    name: str
    stamp: int
    at: int


class Sample(msgspec.Struct, frozen=True):
    """The last request that came: names of headers in lower case."""

    headers: dict[str, str]
    body: bytes


class Receipts(msgspec.Struct, frozen=True):
    """All that came, in order."""

    sample: Sample | None
    receipts: list[Receipt]


class Count(msgspec.Struct, frozen=True):
    """How many posts came so far."""

    count: int


class Notes:
    """What all connections write down."""

    def __init__(self) -> None:
        self.sample: Sample | None = None
        self.receipts: list[Receipt] = []

    def take(self, path: str, headers: dict[str, str], body: bytes, at: int) -> None:
        self.sample = Sample(headers, body)
        name = headers.get("webhook-id") or headers.get("topic", "")
        self.receipts.append(Receipt(path, name, _stamp(body), at))

    def shown(self, path: str) -> bytes:
        if path == "/count":
            return msgspec.json.encode(Count(len(self.receipts)))
        return msgspec.json.encode(Receipts(self.sample, self.receipts))


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request at a time."""

    def __init__(self, notes: Notes, seconds: float) -> None:
        self._notes = notes
        self._seconds = seconds
        self._held = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        at = time.monotonic_ns()
        self._held += data
        while (body_at := self._held.find(b"\r\n\r\n") + 4) >= 4:
            first, *lines = self._held[: body_at - 4].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            end = body_at + int(headers.get("content-length", "0"))
            if len(self._held) < end:
                return
            body, self._held = self._held[body_at:end], self._held[end:]
            method, path, _ = first.split(" ")
            self._answer(method, path, headers, body, at)

    def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes, at: int) -> None:
        if method == "GET":
            shown = self._notes.shown(path)
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(shown) + shown)
            return
        self._notes.take(path, headers, body, at)
        if self._seconds:
            asyncio.get_running_loop().call_later(self._seconds, self._transport.write, _TAKEN)
        else:
            self._transport.write(_TAKEN)


def _stamp(body: bytes) -> int:
    """The number that `load_http.requests_for` put in front of a message's text."""
    at = body.find(b'"@') + 2
    end = at + STAMP_DIGITS
    return int(body[at:end]) if at >= 2 and body[end : end + 1] == b"@" and body[at:end].isdigit() else -1


async def serve(port: int, seconds: float) -> None:
    """Listen on this port of the loopback, 0 for a free one, and answer after so long, until the process is ended."""
    notes = Notes()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(notes, seconds), "127.0.0.1", port, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    gc.disable()  # a collection here would show up as the worker's latency
    port, slowly = [*sys.argv[1:], "0"][0], sys.argv[2:] == ["slowly"]
    uvloop.run(serve(int(port), _SLOW_SECONDS if slowly else 0.0))
