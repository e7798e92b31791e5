"""Messages over HTTP at a steady pace, whatever the answers do.

Runs as a process of its own (`python -m benchmarks.load_paced`): a `PacedLoad` as JSON on stdin, a `PacedOutcome` as
JSON on stdout. The number in a message's text (see `load_http.requests_for`) tells which one a receiver got.
"""

import asyncio
import gc
import os
import sys
import time
from collections import deque

import msgspec
import uvloop

from benchmarks.load_http import FirstFailure, Sender, SendLoad, UnexpectedAnswer, connect_senders
from benchmarks.percentiles import percentile_ms
from benchmarks.process_usage import CoreMeter

_LOOK_SECONDS = 0.001
_DRAIN_SECONDS = 30


class PacedLoad(msgspec.Struct, frozen=True):
    """`rate` messages a second by whichever of the senders is free, for warm-up and measured seconds."""

    send: SendLoad
    rate: float


class PacedOutcome(msgspec.Struct, frozen=True):
    """`sent`: when each message was to be sent (monotonic ns), by its number; the first `warmup` are not measured."""

    sent: list[int]
    warmup: int
    acknowledged_p50_ms: float
    acknowledged_p99_ms: float
    generator_cores: float
    server_cores: float


async def pace(load: PacedLoad) -> PacedOutcome:
    """Send all and wait until all are acknowledged. Raises `UnexpectedAnswer`."""
    loop, failure = asyncio.get_running_loop(), FirstFailure()
    latencies: list[int] = []
    sent: list[int] = []
    free: deque[Sender] = deque()

    def acknowledged(sender: Sender, sent_at: int, now: int) -> None:
        latencies.append(now - sent_at)
        free.append(sender)

    senders = await connect_senders(load.send, acknowledged, failure.fail)
    free.extend(senders)
    count = round(load.rate * (load.send.warmup + load.send.seconds))
    began, own, server = loop.time(), CoreMeter(os.getpid()), CoreMeter(load.send.target.pid)
    for number in range(count):
        await failure.let_run(max(0.0, began + number / load.rate - loop.time()))
        sent.append(time.monotonic_ns())
        while not free:
            await failure.let_run(_LOOK_SECONDS)
        free.popleft().send()
    own_cores, server_cores = own.cores(), server.cores()
    deadline = loop.time() + _DRAIN_SECONDS
    while len(latencies) < count and loop.time() < deadline:
        await failure.let_run(_LOOK_SECONDS)
    for sender in senders:
        sender.close()
    if len(latencies) < count:
        raise UnexpectedAnswer(f"{count} messages were sent, {len(latencies)} acknowledged")
    warmup = round(load.rate * load.send.warmup)
    measured = latencies[warmup:]
    return PacedOutcome(
        sent, warmup, percentile_ms(measured, 0.5), percentile_ms(measured, 0.99), own_cores, server_cores
    )


def main() -> None:
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=PacedLoad)
    gc.disable()
    try:
        outcome = uvloop.run(pace(load))
    except (UnexpectedAnswer, OSError) as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
