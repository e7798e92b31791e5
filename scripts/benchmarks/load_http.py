"""Closed-loop senders over raw keep-alive HTTP/1.1: each sends its next message when the last one was acknowledged.

Runs as a process of its own (`python -m benchmarks.load_http`): a `SendLoad` as JSON on stdin, a
`SendOutcome` as JSON on stdout. Requests are put together from prepared bytes, and of an answer only
the status and the length are looked at, so that one core sends far more than a server here takes.
"""

import asyncio
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import msgspec
import uvloop

from benchmarks.percentiles import percentile_ms
from benchmarks.process_usage import CoreMeter

STAMP_DIGITS = 12
_LENGTH = b"ontent-length: "


class Target(msgspec.Struct, frozen=True):
    """Where messages go. `pid` is the server's, whose processor time is watched."""

    host: str
    port: int
    path: str
    pid: int


class SendLoad(msgspec.Struct, frozen=True):
    """What to send: one sender for each of `tokens`. `run` makes the client_message_ids unique. Seconds."""

    target: Target
    tokens: list[str]
    texts: list[str]
    run: str
    warmup: float
    seconds: float


class SendOutcome(msgspec.Struct, frozen=True):
    """What came of it in the measured part; `acknowledged_in_all` counts from the first request on."""

    acknowledged: int
    acknowledged_in_all: int
    per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    generator_cores: float
    server_cores: float


class UnexpectedAnswer(Exception):
    """The server answered with something other than success, or hung up."""


class FirstFailure:
    """What went wrong first, on any connection of a load."""

    def __init__(self) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, reason: str) -> None:
        """Remember `reason` unless something went wrong before."""
        if not self.future.done():
            self.future.set_exception(UnexpectedAnswer(reason))

    async def let_run(self, seconds: float) -> None:
        """Wait while the load runs. Raises `UnexpectedAnswer` as soon as something went wrong."""
        await asyncio.wait((self.future,), timeout=seconds)
        if self.future.done():
            self.future.result()


def requests_for(target: Target, token: str, texts: list[str], run: str, numbers: Iterator[int]) -> Iterator[bytes]:
    """Endless requests for one sender, each with the next of `numbers` in its client_message_id.

    The number, twelve digits, also begins the body (`@000000000042@ …`): receivers tell messages apart by it.
    """
    prepared = [_prepared(target, token, text, run) for text in texts]
    while True:
        for before, between, after in prepared:
            stamp = b"%012d" % next(numbers)
            yield before + stamp + between + stamp + after


def _prepared(target: Target, token: str, text: str, run: str) -> tuple[bytes, bytes, bytes]:
    blank = "0" * STAMP_DIGITS
    before = b'{"body":"@'
    between = b"@ " + msgspec.json.encode(text)[1:-1] + f'","client_message_id":"{run}-'.encode()
    after = b'"}'
    length = len(before) + len(between) + len(after) + 2 * len(blank)
    head = (
        f"POST {target.path} HTTP/1.1\r\nHost: {target.host}:{target.port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    return head.encode() + before, between, after


class Sender(asyncio.Protocol):
    """One keep-alive connection with one request under way at a time. Sends nothing until told to by `send`."""

    def __init__(
        self,
        requests: Iterator[bytes],
        acknowledged: Callable[["Sender", int, int], None],
        fail: Callable[[str], None],
    ) -> None:
        self._requests = requests
        self._acknowledged = acknowledged
        self._fail = fail
        self._rest = b""
        self._sent_at = 0
        self._transport: asyncio.Transport
        self.is_closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class

    def send(self) -> None:
        self._sent_at = time.monotonic_ns()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        body_at = data.find(b"\r\n\r\n") + 4
        if body_at < 4 or len(data) < body_at + _content_length(data[:body_at]):
            self._rest = data
            return
        self._rest = b""
        if data[9:11] != b"20":
            self._fail(f"the server answered: {data[:600].decode(errors='replace')}")
            return
        self._acknowledged(self, self._sent_at, time.monotonic_ns())

    def connection_lost(self, error: Exception | None) -> None:
        if not self.is_closing:
            self._fail(f"the server closed a sender's connection: {error}")

    def close(self) -> None:
        self.is_closing = True
        self._transport.close()


def _content_length(head: bytes) -> int:
    at = head.lower().find(_LENGTH) + len(_LENGTH)
    return int(head[at : head.index(b"\r", at)])


async def connect_senders(
    load: SendLoad, acknowledged: Callable[[Sender, int, int], None], fail: Callable[[str], None]
) -> list[Sender]:
    """One connected sender for each token, all numbering from one sequence.

    `acknowledged` is told the sender, when it had sent and when the answer came (monotonic ns).
    """
    loop = asyncio.get_running_loop()
    numbers = iter(range(10**STAMP_DIGITS))
    senders: list[Sender] = []
    for index, token in enumerate(load.tokens):
        texts = load.texts[index :: len(load.tokens)] or load.texts
        sender = Sender(requests_for(load.target, token, texts, load.run, numbers), acknowledged, fail)
        await loop.create_connection(partial(_same, sender), load.target.host, load.target.port)
        senders.append(sender)
    return senders


def _same(sender: Sender) -> Sender:
    return sender


async def send(load: SendLoad) -> SendOutcome:
    """Run the load and say what came of it. Raises `UnexpectedAnswer`."""
    latencies: list[int] = []
    failure = FirstFailure()

    def acknowledged(sender: Sender, sent_at: int, now: int) -> None:
        latencies.append(now - sent_at)
        sender.send()

    senders = await connect_senders(load, acknowledged, failure.fail)
    for sender in senders:
        sender.send()
    await failure.let_run(load.warmup)
    counted_before = len(latencies)
    began, own, server = time.monotonic(), CoreMeter(os.getpid()), CoreMeter(load.target.pid)
    await failure.let_run(load.seconds)
    measured, elapsed = latencies[counted_before:], time.monotonic() - began
    own_cores, server_cores = own.cores(), server.cores()
    for sender in senders:
        sender.close()
    return SendOutcome(
        acknowledged=len(measured),
        acknowledged_in_all=len(latencies),
        per_second=len(measured) / elapsed,
        p50_ms=percentile_ms(measured, 0.50),
        p99_ms=percentile_ms(measured, 0.99),
        max_ms=percentile_ms(measured, 1.0),
        generator_cores=own_cores,
        server_cores=server_cores,
    )


def main() -> None:
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=SendLoad)
    gc.disable()  # a collection in the generator would show up as the server's latency
    try:
        outcome = uvloop.run(send(load))
    except (UnexpectedAnswer, OSError) as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
