"""A room full of WebSocket receivers, with senders or without.

Runs as a process of its own (`python -m benchmarks.load_ws`): a `RoomLoad` as JSON on stdin, a
`RoomOutcome` as JSON on stdout. Senders and receivers share one process and so one clock.
"""

import gc
import os
import sys
import time
from typing import Literal

import msgspec
import uvloop

from benchmarks.load_http import Sender, SendLoad, UnexpectedAnswer, connect_senders
from benchmarks.percentiles import percentile_ms
from benchmarks.process_usage import CoreMeter, resident_bytes
from benchmarks.receivers import Crowd, Receiver, connect_receivers

_WINDOW = 256
_FIRST_CONNECTIONS = 50
_DRAIN_SECONDS = 30
_SETTLE_SECONDS = 1.0


class RoomLoad(msgspec.Struct, frozen=True):
    """`saturate`: senders as fast as everybody receives; `paced`: `rate` messages a second; `idle`: nobody speaks."""

    send: SendLoad
    member_tokens: list[str]
    mode: Literal["saturate", "paced", "idle"]
    rate: float = 10.0


class RoomOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """`last_receipt`: from sending to the last member's receipt, over messages; `receipt`: over all receipts."""

    acknowledged_in_all: int = 0
    delivered_in_all: int = 0
    deliveries_per_second: float = 0.0
    messages_per_second: float = 0.0
    last_receipt_p50_ms: float = 0.0
    last_receipt_p99_ms: float = 0.0
    receipt_p99_ms: float = 0.0
    bytes_per_connection: float = 0.0
    generator_cores: float = 0.0
    server_cores: float = 0.0


async def saturate(load: RoomLoad) -> RoomOutcome:
    """Everybody receives what closed-loop senders can send. Raises `UnexpectedAnswer`, also for a lost message."""
    crowd = Crowd(len(load.member_tokens), _WINDOW, stamped=False)
    receivers = await connect_receivers(crowd, load.send.target, load.member_tokens)
    stopped = False

    def acknowledged(sender: Sender, sent_at: int, now: int) -> None:
        crowd.acknowledged += 1
        if not stopped:
            crowd.send_next(sender)

    senders = await connect_senders(load.send, acknowledged, crowd.failure.fail)
    for sender in senders:
        sender.send()
    await crowd.failure.let_run(load.send.warmup)
    delivered, sent = crowd.delivered, crowd.acknowledged
    began, own, server = time.monotonic(), CoreMeter(os.getpid()), CoreMeter(load.send.target.pid)
    await crowd.failure.let_run(load.send.seconds)
    elapsed = time.monotonic() - began
    delivered, sent = crowd.delivered - delivered, crowd.acknowledged - sent
    own_cores, server_cores = own.cores(), server.cores()
    stopped = True
    crowd.hold_all()
    await _drained(crowd)
    _close(receivers, senders)
    return RoomOutcome(
        acknowledged_in_all=crowd.acknowledged,
        delivered_in_all=crowd.delivered,
        deliveries_per_second=delivered / elapsed,
        messages_per_second=sent / elapsed,
        generator_cores=own_cores,
        server_cores=server_cores,
    )


async def paced(load: RoomLoad) -> RoomOutcome:
    """One sender at a steady rate, whatever the acknowledgements do. Raises `UnexpectedAnswer`."""
    crowd = Crowd(len(load.member_tokens), _WINDOW, stamped=True)
    receivers = await connect_receivers(crowd, load.send.target, load.member_tokens)
    idle: list[Sender] = []

    def acknowledged(sender: Sender, sent_at: int, now: int) -> None:
        crowd.acknowledged += 1
        idle.append(sender)

    senders = await connect_senders(load.send, acknowledged, crowd.failure.fail)
    idle += senders
    first_measured = int(load.send.warmup * load.rate)
    number_of_messages = first_measured + max(1, int(load.send.seconds * load.rate))
    own, server, began = CoreMeter(os.getpid()), CoreMeter(load.send.target.pid), time.monotonic()
    for number in range(number_of_messages):
        await crowd.failure.let_run(max(0.0, began + number / load.rate - time.monotonic()))
        if not idle:
            raise UnexpectedAnswer(f"{len(senders)} senders cannot keep up {load.rate} messages a second")
        crowd.sent_at[number] = time.monotonic_ns()
        idle.pop().send()
    own_cores, server_cores = own.cores(), server.cores()
    await _drained(crowd, number_of_messages)
    _close(receivers, senders)
    measured = range(first_measured, number_of_messages)
    last = [max(crowd.receipts[number]) - crowd.sent_at[number] for number in measured]
    every = [receipt - crowd.sent_at[number] for number in measured for receipt in crowd.receipts[number]]
    return RoomOutcome(
        acknowledged_in_all=crowd.acknowledged,
        delivered_in_all=crowd.delivered,
        messages_per_second=load.rate,
        deliveries_per_second=load.rate * crowd.members,
        last_receipt_p50_ms=percentile_ms(last, 0.50),
        last_receipt_p99_ms=percentile_ms(last, 0.99),
        receipt_p99_ms=percentile_ms(every, 0.99),
        generator_cores=own_cores,
        server_cores=server_cores,
    )


async def idle(load: RoomLoad) -> RoomOutcome:
    """Connections that say nothing: what each adds to the server's memory, after the first few warmed it up."""
    crowd = Crowd(len(load.member_tokens), _WINDOW, stamped=False)
    target = load.send.target
    first = min(_FIRST_CONNECTIONS, len(load.member_tokens) // 2)
    receivers = await connect_receivers(crowd, target, load.member_tokens[:first])
    await crowd.failure.let_run(_SETTLE_SECONDS)
    before = resident_bytes(target.pid)
    receivers += await connect_receivers(crowd, target, load.member_tokens[first:])
    await crowd.failure.let_run(_SETTLE_SECONDS)
    grown = resident_bytes(target.pid) - before
    _close(receivers, [])
    return RoomOutcome(bytes_per_connection=grown / (len(load.member_tokens) - first))


async def _drained(crowd: Crowd, sent: int | None = None) -> None:
    """Wait until everything under way has been acknowledged and received by all. Raises `UnexpectedAnswer` if not."""
    deadline = time.monotonic() + _DRAIN_SECONDS
    while time.monotonic() < deadline:
        before = crowd.acknowledged
        await crowd.failure.let_run(0.3)
        all_acknowledged = crowd.acknowledged == (before if sent is None else sent)
        if all_acknowledged and crowd.delivered >= crowd.acknowledged * crowd.members:
            break
    if crowd.delivered != crowd.acknowledged * crowd.members:
        raise UnexpectedAnswer(
            f"{crowd.acknowledged} messages to {crowd.members} members were acknowledged,"
            f" but {crowd.delivered} deliveries arrived"
        )


def _close(receivers: list[Receiver], senders: list[Sender]) -> None:
    for receiver in receivers:
        receiver.close()
    for sender in senders:
        sender.close()


_MODES = {"saturate": saturate, "paced": paced, "idle": idle}


def main() -> None:
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=RoomLoad)
    gc.disable()  # a collection in the generator would show up as the server's latency
    try:
        outcome = uvloop.run(_MODES[load.mode](load))
    except (UnexpectedAnswer, OSError) as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
