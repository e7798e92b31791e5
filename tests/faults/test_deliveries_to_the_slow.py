"""Rows 28 and 29 of the fault table: receivers that take all the time there is."""

import asyncio
import json
from pathlib import Path

import pytest
from faults_support.attempts import Attempts
from faults_support.hostile_sink import Behaviour, HostileSink, drips_its_body, drips_its_head, hangs
from outbox_support.chat import Chat
from outbox_support.sink import Sink
from outbox_support.worker_process import WorkerProcess

POSTS = 200


@pytest.mark.parametrize("behaviour", [hangs, drips_its_head])
async def test_row_28_endpoint_hangs_before_headers(
    chat: Chat, attempts: Attempts, tmp_path: Path, behaviour: Behaviour
) -> None:
    """The deadline ends it, said as what it was; another endpoint has its delivery meanwhile."""
    slow, sink = HostileSink(behaviour), Sink()
    await slow.start()
    await sink.start()
    worker = WorkerProcess(tmp_path / "data", CAMPFIRE_WEBHOOK_TIMEOUT="1", CAMPFIRE_WEBHOOK_RETRY_SCHEDULE="600")
    slow_id = await chat.add_webhook(slow.url)
    await chat.add_webhook(sink.url)
    worker.start()
    try:
        await chat.post("Hello")
        await sink.until(1)
        [attempt] = await attempts.until(slow_id)
    finally:
        worker.end()
        await slow.stop()
        await sink.stop()
    assert (attempt.failure_class, attempt.status, attempt.tries, attempt.state) == ("timeout", None, 1, "pending")
    assert attempt.detail == "no complete answer within 1 s"
    assert attempt.ended_at - attempt.started_at > 900
    # Where the time went: a connection was there, and then nothing came.
    assert attempt.connect_ms is not None and attempt.body_ms is None
    assert attempt.first_byte_ms is not None and attempt.first_byte_ms > 500


async def test_row_29_a_body_of_one_byte_a_second_ends_at_the_deadline(
    chat: Chat, attempts: Attempts, tmp_path: Path
) -> None:
    """The same deadline covers the body."""
    slow = HostileSink(drips_its_body)
    await slow.start()
    worker = WorkerProcess(tmp_path / "data", CAMPFIRE_WEBHOOK_TIMEOUT="1.5", CAMPFIRE_WEBHOOK_RETRY_SCHEDULE="600")
    slow_id = await chat.add_webhook(slow.url)
    worker.start()
    try:
        await chat.post("Hello")
        [attempt] = await attempts.until(slow_id)
    finally:
        worker.end()
        await slow.stop()
    assert (attempt.failure_class, attempt.state) == ("timeout", "pending")
    assert attempt.ended_at - attempt.started_at > 1400
    assert 1 <= attempt.bytes_read < 100 and attempt.body_ms is not None


async def test_row_29_slow_loris_delays_nobody_else(chat: Chat, attempts: Attempts, tmp_path: Path) -> None:
    """Hundreds of deliveries to another endpoint come through while one to the slow one lasts."""
    slow, sink = HostileSink(drips_its_body), Sink()
    await slow.start()
    await sink.start()
    worker = WorkerProcess(tmp_path / "data", CAMPFIRE_WEBHOOK_TIMEOUT="600")
    await chat.add_webhook(sink.url)
    worker.start()
    try:
        without = await latencies(chat, sink)
        slow_id = await chat.add_webhook(slow.url)
        await chat.post("for both")
        await slow.until(1)
        beside = await latencies(chat, sink)
        assert attempts.of(slow_id) == [] and len(slow.received) == 1  # it lasts still
    finally:
        worker.end()
        await slow.stop()
        await sink.stop()
    print(f"\nappend to receipt, p99 of {POSTS}: {p99(without):.1f} ms alone, {p99(beside):.1f} ms beside a slow loris")  # noqa: T201


async def latencies(chat: Chat, sink: Sink) -> list[float]:
    """Milliseconds from each post to its receipt, one after another."""
    found = []
    loop = asyncio.get_running_loop()
    for _ in range(POSTS):
        before = len(sink.received)
        posted_at = loop.time()
        posted = await chat.post("Hello")
        while posted.message_id not in {json.loads(each.body)["data"]["id"] for each in sink.received[before:]}:
            await sink.until(len(sink.received) + 1)
        found.append((loop.time() - posted_at) * 1000)
    return found


def p99(milliseconds: list[float]) -> float:
    return sorted(milliseconds)[round(0.99 * len(milliseconds)) - 1]
