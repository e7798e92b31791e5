"""Fault table, rows 34 and 35: the worker is killed with kill -9."""

import asyncio
import json
import signal
import sys
from pathlib import Path

from aiohttp import web
from faults_support.outbox_state import rows, until_delivered
from outbox_support.chat import Chat
from outbox_support.sink import Sink
from outbox_support.worker_process import WorkerProcess

ROOT = Path(__file__).resolve().parents[2]
KILLS = 50


async def test_row_34_fifty_kills_at_random_moments_lose_nothing() -> None:
    """Every delivery arrives in order and under one id; a kill repeats at most the one that was on its way, with
    the same bytes. A failure names the seed for `scripts/drill`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "scripts" / "drill"),
        *("outbox", "--kills", str(KILLS), "--json"),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    result = json.loads(output)
    assert result["violations"] == [], result
    assert process.returncode == 0
    assert result["kills"] == KILLS
    assert result["messages"] >= KILLS  # it was killed at work
    assert 0 < result["repeated"] <= KILLS


async def test_row_34_killed_between_post_and_mark_it_sends_the_same_again(
    chat: Chat, sink: Sink, tmp_path: Path
) -> None:
    """Under the same webhook-id and with the same bytes, as attempt number two; then it is over."""
    entered = asyncio.Event()

    async def keep_waiting(_request: web.Request) -> web.StreamResponse:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async def accept(_request: web.Request) -> web.StreamResponse:
        return web.Response()

    sink.answer = keep_waiting
    await chat.add_webhook(sink.url)
    await chat.post("Hello")
    worker = WorkerProcess(tmp_path / "data")
    worker.start()
    try:
        async with asyncio.timeout(60):
            await entered.wait()
        await asyncio.to_thread(worker.signal, signal.SIGKILL)
        sink.answer = accept
        worker.start()
        await until_delivered(chat, 1)
    finally:
        worker.end()
    first, second = sink.received
    assert first.webhook_id == second.webhook_id
    assert first.body == second.body
    assert rows(chat, "SELECT state, attempts FROM deliveries") == [("delivered", 2)]
    assert rows(chat, "SELECT number FROM attempts") == [(2,)]


async def test_row_35_killed_between_claim_and_post_it_is_sent_by_the_next(
    chat: Chat, sink: Sink, tmp_path: Path
) -> None:
    """At once, not when a lease runs out: the dead worker's process is gone. And once only."""
    await chat.add_webhook(sink.url)
    await chat.post("Hello")
    held = WorkerProcess(
        tmp_path / "data", entry=Path(__file__).with_name("worker_held_before_post.py"), CAMPFIRE_OUTBOX_LEASE="86400"
    )
    worker = WorkerProcess(tmp_path / "data")
    held.start()
    try:
        async with asyncio.timeout(60):
            while not chat.engine.settings.outbox_path.exists() or claimed(chat) != [("sending", 1)]:
                await asyncio.sleep(0.02)
        assert sink.received == []
        await asyncio.to_thread(held.signal, signal.SIGKILL)
        worker.start()
        await until_delivered(chat, 1)
    finally:
        held.end()
        worker.end()
    assert len(sink.received) == 1
    assert claimed(chat) == [("delivered", 2)]


def claimed(chat: Chat) -> list[tuple[str, int]]:
    try:
        return rows(chat, "SELECT state, attempts FROM deliveries")
    except Exception as error:
        if "no such table" in str(error) or "unable to open" in str(error):
            return []
        raise
