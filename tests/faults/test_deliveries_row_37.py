"""Row 37 of the fault table: one of 200 endpoints is dead."""

import asyncio
import math
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web
from outbox_support.clocked import PATIENCE, a_clocked_chat
from outbox_support.sink import Sink

from outbox.queries import rows_of

OTHERS = 199
MESSAGES = 10
BREAKER_SECONDS = 3_600


async def test_row_37_the_others_get_everything_while_the_dead_one_is_not_even_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All 199 have all their deliveries before the dead one's breaker lets it try again; how fast is printed."""
    sink, dead = Sink(), Sink()
    arrived: list[float] = []

    async def note(_request: web.Request) -> web.StreamResponse:
        arrived.append(time.monotonic())
        return web.Response()

    sink.answer = note
    await sink.start()
    await dead.start()
    port = dead.port
    await dead.stop()
    async with a_clocked_chat(
        tmp_path / "data", webhook_retry_schedule=(0.05,) * 100, webhook_breaker_seconds=BREAKER_SECONDS
    ) as scene:
        for number in range(OTHERS // 2):
            await scene.chat.add_webhook(f"{sink.url}/{number}")
        dead_id = await scene.chat.add_webhook(f"http://127.0.0.1:{port}/hook")
        for number in range(OTHERS // 2, OTHERS):
            await scene.chat.add_webhook(f"{sink.url}/{number}")
        scene.working.start()
        latencies: list[float] = []
        for number in range(MESSAGES):
            began = time.monotonic()
            await scene.post(f"message {number}")
            await sink.until(OTHERS * (number + 1), PATIENCE)
            latencies += [at - began for at in arrived[OTHERS * number :]]
        times = Counter(each.path for each in sink.received)
        assert len(times) == OTHERS and set(times.values()) == {MESSAGES}
        await scene.until(lambda: rows_of(scene.path, "SELECT 1 FROM breakers WHERE opened_at IS NOT NULL") != [])
        assert rows_of(scene.path, "SELECT endpoint_id FROM breakers WHERE opened_at IS NOT NULL") == [(dead_id,)]
        assert scene.count("delivered", dead_id) == scene.count("dead") == scene.count("cancelled") == 0
        with capsys.disabled():
            p99 = sorted(latencies)[math.ceil(len(latencies) * 0.99) - 1]
            sys.stdout.write(f"\nrow 37: p99 of the 199 beside a dead one: {p99 * 1000:.0f} ms\n")
        await dead.start(port)
        scene.advance(BREAKER_SECONDS)
        await scene.post("is anybody there?")
        async with asyncio.timeout(PATIENCE):
            await dead.until(MESSAGES + 1)
        await scene.until(lambda: scene.count("delivered") == (OTHERS + 1) * (MESSAGES + 1))
    await dead.stop()
    await sink.stop()
