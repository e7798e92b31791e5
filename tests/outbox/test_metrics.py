"""What Prometheus and a load balancer learn of the worker: every figure moves with what it is about."""

import asyncio
import contextlib
import re
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from outbox_support.bots import BotChat
from outbox_support.chat import Chat
from outbox_support.push import PushChat
from outbox_support.sink import Sink
from outbox_support.worker_process import WorkerProcess
from prometheus_client.parser import text_string_to_metric_families

from campfire.clock import ManualClock
from campfire.config import Settings
from campfire.domain.webhooks import decide_delete_webhook
from campfire.errors import CampfireError
from outbox import gauges
from outbox.metrics import Metrics
from outbox.metrics_site import metrics_site

EVERY = """
answers_waiting append_to_delivered_seconds attempt_seconds attempts commit_seconds commit_steps dead deliveries
endpoint_breaker endpoint_dead endpoint_lag_events endpoint_lag_seconds endpoint_parked endpoint_planned
endpoint_queued endpoint_waiting endpoints endpoints_not_shown lag_events lag_seconds lease_epoch lease_held
oldest_pending_seconds parked position pushes queued sending waiting
"""


class Measured:
    """A worker's process that serves its metrics, at a port that it chose by itself."""

    def __init__(self, data: Path, log: Path, **settings: str) -> None:
        self._log = log
        self.process = WorkerProcess(
            data,
            **{
                "CAMPFIRE_OUTBOX_METRICS": "127.0.0.1:0",
                "CAMPFIRE_WEBHOOK_RETRY_SCHEDULE": "0.05",
                "CAMPFIRE_WEBHOOK_BREAKER_SECONDS": "600",
                **settings,
            },
        )
        self._url = ""

    async def start(self) -> None:
        with self._log.open("wb") as log:
            self.process.start(stderr=log)
        async with asyncio.timeout(60):
            while (found := re.search(r'"port": (\d+), "event": "metrics_served"', self._log.read_text())) is None:
                await asyncio.sleep(0.02)
        self._url = f"http://127.0.0.1:{found[1]}"

    async def get(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.get(self._url + path) as response:
            return response.status, await response.text()

    async def figures(self) -> dict[str, float]:
        """By name without the prefix, and by name and labels."""
        _, text = await self.get("/metrics")
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                name = sample.name.removeprefix("campfire_outbox_")
                labels = ",".join(value for key, value in sorted(sample.labels.items()) if key != "endpoint")
                found[f"{name}{{{labels}}}" if labels else name] = sample.value
        return found

    async def until(self, name: str, value: float) -> dict[str, float]:
        """Wait until a figure is at least that."""
        async with asyncio.timeout(60):
            while (figures := await self.figures()).get(name, -1) < value:
                await asyncio.sleep(0.05)
        return figures


@pytest.fixture
async def measured(tmp_path: Path) -> AsyncIterator[Measured]:
    """Started by the test."""
    measured = Measured(tmp_path / "data", tmp_path / "worker.log")
    yield measured
    measured.process.end()


async def refuse(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=500)


async def test_deliveries_and_attempts_are_counted_and_timed(chat: Chat, sink: Sink, measured: Measured) -> None:
    """Each by what became of it, from the record in the log on."""
    await chat.add_webhook(sink.url)
    await measured.start()
    before = await measured.until("lease_held", 1)
    assert before["deliveries_total{planned}"] == before["deliveries_total{delivered}"] == 0
    for number in range(3):
        await chat.post(f"message {number}")
    after = await measured.until("deliveries_total{delivered}", 3)
    assert after["deliveries_total{planned}"] == after["attempts_total{webhook,delivered}"] == 3
    assert after["attempt_seconds_count{webhook}"] == after["append_to_delivered_seconds_count"] == 3
    assert after["append_to_delivered_seconds_sum"] > 0
    assert after["endpoint_planned_total{webhook}"] == 3
    assert after["position"] == chat.engine.position > before["position"]
    assert (after["lag_events"], after["lag_seconds"], after["oldest_pending_seconds"]) == (0, 0, 0)
    assert after["lease_epoch"] == 1
    assert after["commit_seconds_count"] > before["commit_seconds_count"]
    assert after["commit_steps_sum"] >= after["commit_steps_count"] > 0


async def test_failures_show_as_dead_letters_an_open_breaker_and_what_waits(
    chat: Chat, sink: Sink, tmp_path: Path
) -> None:
    """In all and by endpoint; what is called off is counted too."""
    sink.answer = refuse
    webhook_id = await chat.add_webhook(sink.url)
    measured = Measured(tmp_path / "data", tmp_path / "worker.log", CAMPFIRE_WEBHOOK_RETRY_SCHEDULE="")
    await measured.start()
    try:
        for number in range(8):
            await chat.post(f"message {number}")
        figures = await measured.until("endpoint_breaker{webhook}", 2)
        figures = await measured.until("endpoint_planned_total{webhook}", 8)
        assert figures["attempts_total{webhook,status}"] == figures["deliveries_total{dead}"] == 5
        assert figures["dead"] == figures["endpoint_dead{webhook}"] == 5
        behind = figures["waiting"] + figures["queued"] + figures["sending"]
        assert behind == figures["endpoint_lag_events{webhook}"] == 3
        later = await measured.until("oldest_pending_seconds", figures["oldest_pending_seconds"] + 0.05)
        assert later["endpoint_lag_seconds{webhook}"] >= later["oldest_pending_seconds"] > 0
        engine = chat.engine
        await engine.perform(
            lambda: decide_delete_webhook(engine.directory, webhook_id=webhook_id, actor_id=chat.user_id, at=1)
        )
        await measured.until("deliveries_total{cancelled}", 3)
    finally:
        measured.process.end()


async def test_what_waits_is_told_by_what_for(chat: Chat, sink: Sink, measured: Measured) -> None:
    """For its time, for an earlier one, or for nobody any more since it failed for long."""
    await chat.add_webhook(sink.url)
    await measured.start()
    for number in range(4):
        await chat.post(f"message {number}")
    await measured.until("deliveries_total{delivered}", 4)
    await asyncio.to_thread(measured.process.signal, signal.SIGTERM)
    with contextlib.closing(sqlite3.connect(chat.engine.settings.outbox_path)) as connection, connection:
        for sequence, state, parked_at in ((1, "queued", None), (2, "pending", 1), (3, "pending", None)):
            connection.execute(
                "UPDATE deliveries SET state = ?, parked_at = ?, planned_at = 1000 WHERE sequence = ?",
                (state, parked_at, sequence),
            )
    found = {family.name: family for family in gauges.Gauges(chat.engine.settings, ManualClock(11_000)).collect()}
    for name, value in (("waiting", 2), ("queued", 1), ("parked", 1), ("oldest_pending_seconds", 10)):
        assert found[f"campfire_outbox_{name}"].samples[0].value == value
    # The oldest that waits is the first of four: so far back is what its receiver knows.
    for name, value in (("waiting", 2), ("queued", 1), ("parked", 1), ("lag_events", 4), ("lag_seconds", 10)):
        assert found[f"campfire_outbox_endpoint_{name}"].samples[0].value == value


async def test_every_figure_is_served_and_none_tells_an_address(chat: Chat, sink: Sink, measured: Measured) -> None:
    """Endpoints are named by their ids; an address may hold a secret of its receiver."""
    await chat.add_webhook(f"{sink.url}/s3cret-path")
    await measured.start()
    await chat.post("Hello")
    await measured.until("deliveries_total{delivered}", 1)
    _, text = await measured.get("/metrics")
    served = {family.name.removeprefix("campfire_outbox_") for family in text_string_to_metric_families(text)}
    assert served == set(EVERY.split())
    assert "s3cret" not in text and "127.0.0.1" not in text and "whsec_" not in text


async def test_ready_is_who_delivers_and_live_is_who_answers(chat: Chat, measured: Measured, tmp_path: Path) -> None:
    """One that stands by lives, and is ready once it has taken over."""
    await measured.start()
    await measured.until("lease_held", 1)
    second = Measured(tmp_path / "data", tmp_path / "second.log")
    await second.start()
    try:
        assert (await second.get("/health/live"))[0] == 200
        async with asyncio.timeout(60):
            while await second.get("/health/ready") != (503, '{"status": "standing by"}'):
                await asyncio.sleep(0.02)
            assert (await second.figures())["lease_held"] == 0
            await asyncio.to_thread(measured.process.signal, signal.SIGTERM)
            while await second.get("/health/ready") != (200, '{"status": "delivering"}'):
                await asyncio.sleep(0.02)
        figures = await second.figures()
        assert (figures["lease_held"], figures["lease_epoch"]) == (1, 2)
    finally:
        second.process.end()


async def test_the_lag_counts_events_that_no_worker_has_seen(
    chat: Chat, sink: Sink, measured: Measured, tmp_path: Path
) -> None:
    """As one that stands by sees it, behind a worker that hangs."""
    await chat.add_webhook(sink.url)
    await measured.start()
    await measured.until("position", chat.engine.position)
    second = Measured(tmp_path / "data", tmp_path / "second.log")
    await second.start()
    try:
        measured.process.send(signal.SIGSTOP)
        for number in range(4):
            await chat.post(f"message {number}")
        figures = await second.until("lag_seconds", 0.05)
        assert figures["lag_events"] == 4
    finally:
        second.process.end()


async def test_calls_of_bots_and_their_answers_are_counted(chat: Chat, sink: Sink, measured: Measured) -> None:
    """An answer waits for as long as no server takes it."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="done")

    sink.answer = answer
    bots = BotChat(chat)
    await bots.add_bot("Deployer", sink.url)
    await measured.start()
    await bots.post("@Deployer go")
    figures = await measured.until("answers_waiting", 1)
    assert figures["attempt_seconds_count{bot}"] == 1


async def test_pushes_are_counted_by_what_became_of_them(scene: PushChat, service: Sink, measured: Measured) -> None:
    """Delivered, or why not."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    room_id = await scene.room("closed", "Boiler", ada, bob)
    await measured.start()
    await scene.post(ada, room_id, "Hello @Bob")
    await measured.until("pushes_total{delivered}", 1)


async def test_beyond_a_thousand_endpoints_only_the_sums_grow(
    chat: Chat, sink: Sink, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels are bounded; how many are not shown is a figure itself."""
    monkeypatch.setattr(gauges, "MOST_ENDPOINTS", 2)
    for _ in range(5):
        await chat.add_webhook(sink.url)
    await measured.start()
    await measured.until("endpoints", 5)
    found = {family.name: family for family in gauges.Gauges(chat.engine.settings, chat.engine.clock).collect()}
    assert found["campfire_outbox_endpoints_not_shown"].samples[0].value == 3
    assert len(found["campfire_outbox_endpoint_waiting"].samples) == 2


async def test_a_place_that_cannot_be_had_is_a_wrong_setting(tmp_path: Path) -> None:
    """Said at the start, instead of metrics that are missing when they are needed."""
    settings = Settings(data=tmp_path, outbox_metrics="127.0.0.1:0")
    async with metrics_site(settings, Metrics()):
        pass
    with pytest.raises(CampfireError, match="Metrics cannot be served") as refused:
        async with metrics_site(Settings(data=tmp_path, outbox_metrics="192.0.2.1:1"), Metrics()):
            pass
    assert refused.value.code == "CONFIGURATION_INVALID"
