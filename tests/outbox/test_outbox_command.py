"""`campfire-outbox` as somebody who keeps a server uses it."""

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result
from faults_support.server_process import ServerProcess
from outbox_support.chat import Chat
from outbox_support.sink import Sink, ok
from outbox_support.worker_process import WorkerProcess

from campfire.config import Settings
from campfire.domain.events import DeliveryReplayRequested
from campfire.engine import Engine
from campfire.eventlog.reader import LogReader
from outbox.cli import main

SECONDS = 60


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def running_worker(worker: WorkerProcess) -> Iterator[WorkerProcess]:
    worker.start()
    yield worker
    worker.end()


def command(data: Path, *arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, [*arguments, "--data", str(data)])


async def told(data: Path, *arguments: str) -> Any:
    """What it printed for programs; in a thread, since it runs a loop of its own."""
    result = await asyncio.to_thread(command, data, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def until(data: Path, state: str, count: int) -> Any:
    """Wait until status counts so many deliveries in a state."""
    async with asyncio.timeout(SECONDS):
        while True:
            result = await asyncio.to_thread(command, data, "status", "--json")
            if result.exit_code == 0 and json.loads(result.stdout)[state] >= count:
                return json.loads(result.stdout)
            await asyncio.sleep(0.02)


async def fail(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=500, text="not today")


@pytest.fixture
async def letters(chat: Chat, sink: Sink, running_worker: WorkerProcess, data: Path) -> list[str]:
    """The ids of three dead letters of one webhook; the receiver is well again."""
    sink.answer = fail
    await chat.add_webhook(sink.url)
    for body in ("one", "two", "three"):
        await chat.post(body)
    await until(data, "dead", 3)
    sink.answer = ok
    sink.received.clear()
    return [letter["id"] for letter in await told(data, "dead-letters", "list")]


async def test_status_tells_what_waits_and_who_fails(
    chat: Chat, sink: Sink, running_worker: WorkerProcess, data: Path
) -> None:
    """For programs and for people."""
    webhook = await chat.add_webhook(sink.url)
    await chat.post("Hello")
    status = await until(data, "delivered", 1)
    assert status["worker_alive"] and status["dead"] == status["pending"] == 0
    assert [each["id"] for each in status["endpoints"]] == [webhook]
    text = (await asyncio.to_thread(command, data, "status")).stdout
    assert "running with pid" in text and "1 delivered" in text
    running_worker.signal(signal.SIGKILL)
    assert "not running" in (await asyncio.to_thread(command, data, "status")).stdout


async def test_dead_letters_are_told_in_sentences(letters: list[str], sink: Sink, data: Path) -> None:
    """Which, whereto, why, and what to do."""
    said = (await asyncio.to_thread(command, data, "dead-letters", "list")).stdout
    for letter in letters:
        assert letter in said
    assert sink.url in said and "after 4 attempts, status (answered 500)" in said
    assert "campfire-outbox dead-letters replay" in said
    assert await told(data, "dead-letters", "list", "--since", "2999-01-01") == []
    assert await told(data, "dead-letters", "list", "--webhook", "no such") == []
    none = await asyncio.to_thread(command, data, "dead-letters", "list", "--webhook", "no such")
    assert none.exit_code == 0 and "no such dead letters" in none.stdout


async def test_without_a_server_a_replay_is_put_on_record_by_itself(
    chat: Chat, letters: list[str], sink: Sink, data: Path
) -> None:
    """A dry run changes nothing; then what was named, and only that, is sent under its old id."""
    await chat.close()
    before = log_position(data)
    dry = await told(data, "dead-letters", "replay", letters[1], "--dry-run")
    assert dry["dry_run"] is True and dry["count"] == 1 and dry["counts"][0]["failure_class"] == "status"
    assert log_position(data) == before
    assert (await told(data, "dead-letters", "replay", letters[1]))["count"] == 1
    await until(data, "delivered", 1)
    assert [received.webhook_id for received in sink.received] == [letters[1]]
    assert (await told(data, "dead-letters", "replay", "--all"))["count"] == 2
    await until(data, "delivered", 3)
    assert Counter(received.webhook_id for received in sink.received) == Counter(letters)
    assert [type(each.event) for each in on_record(data, before)] == [DeliveryReplayRequested] * 2


async def test_beside_a_server_a_replay_goes_through_it(chat: Chat, letters: list[str], sink: Sink, data: Path) -> None:
    """It alone writes the log."""
    await chat.close()
    server = ServerProcess(data)
    await asyncio.to_thread(server.start)
    try:
        said = await asyncio.to_thread(command, data, "dead-letters", "replay", "--all")
        assert said.exit_code == 0 and "3 dead letters will be sent again" in said.stdout
        await until(data, "delivered", 3)
    finally:
        server.end()
    assert Counter(received.webhook_id for received in sink.received) == Counter(letters)


async def test_a_replay_of_what_is_not_dead_is_refused(letters: list[str], data: Path) -> None:
    """By name, and nothing else of the request happens."""
    before = log_position(data)
    result = await asyncio.to_thread(command, data, "dead-letters", "replay", letters[0], "msg_unknown")
    assert result.exit_code == 1 and "DELIVERY_NOT_FOUND" in result.stderr and "msg_unknown" in result.stderr
    assert log_position(data) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["dead-letters", "replay"],
        ["dead-letters", "replay", "--since", "yesterday"],
        ["dead-letters", "list", "--since", "9" * 40],
        ["dead-letters"],
        ["run", "--what"],
    ],
)
def test_wrong_use_is_told(data: Path, arguments: list[str]) -> None:
    """Exit code 2, as every program; no traceback, nothing made."""
    result = CliRunner().invoke(main, arguments, env={"CAMPFIRE_DATA": str(data)})
    assert result.exit_code == 2 and isinstance(result.exception, SystemExit)
    assert not data.exists()


def test_where_no_worker_has_run_status_says_so(data: Path) -> None:
    """And a list of dead letters is empty."""
    result = command(data, "status")
    assert result.exit_code == 1 and "No worker has run" in result.stderr
    assert command(data, "dead-letters", "list").exit_code == 0


async def test_a_second_worker_stands_by_and_status_says_so(
    chat: Chat, running_worker: WorkerProcess, data: Path
) -> None:
    """Two that send would send everything twice; told to stop, it ends like any other."""
    await until(data, "delivered", 0)
    second = WorkerProcess(data)
    second.start()
    try:
        async with asyncio.timeout(SECONDS):
            standing_by = f"outbox worker standing by with pid {second.pid}"
            while (await told(data, "status"))["standing_by"] != standing_by:  # it takes its place, then says its name
                await asyncio.sleep(0.02)
        result = await asyncio.to_thread(command, data, "status")
        assert f"Worker running with pid {running_worker.pid} (lease epoch 1)" in result.stdout
        assert f"Waiting to take over: {standing_by}." in result.stdout
        assert await asyncio.to_thread(second.signal, signal.SIGTERM) == 0
    finally:
        second.end()


async def test_a_worker_started_first_waits_for_its_server(worker: WorkerProcess, data: Path, sink: Sink) -> None:
    """In a container both start at once; neither order may matter."""
    data.mkdir()
    worker.start()
    engine = await Engine.open(Settings(data=data))
    try:
        chat = Chat(engine)
        await chat.found()
        await chat.add_webhook(sink.url)
        await chat.post("Hello")
        await sink.until(1)
        assert worker.signal(signal.SIGTERM) == 0
    finally:
        worker.end()
        await engine.close()


async def test_an_outbox_that_cannot_be_read_keeps_nobody_from_talking(chat: Chat, data: Path) -> None:
    """The server starts and says so; every command names the file and the way out."""
    await chat.close()
    (data / "outbox.db").write_bytes(b"no database at all" * 1000)
    engine = await Engine.open(Settings(data=data))
    await engine.close()
    for arguments in (["status"], ["dead-letters", "list"], ["run"]):
        result = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "outbox.cli", *arguments, "--data", str(data)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert result.returncode == 1, result.stderr
        assert (
            "OUTBOX_UNREADABLE" in result.stderr and "outbox.db" in result.stderr and "move it aside" in result.stderr
        )
        assert "Traceback" not in result.stderr


def log_position(data: Path) -> int:
    reader = LogReader(data / "events.db")
    try:
        return reader.tip().position
    finally:
        reader.close()


def on_record(data: Path, after: int) -> list[Any]:
    reader = LogReader(data / "events.db")
    try:
        return [each for each in reader.read(after, 1000) if isinstance(each.event, DeliveryReplayRequested)]
    finally:
        reader.close()
