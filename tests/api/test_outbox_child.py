"""The worker that a server runs as its child."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults_support.server_process import ServerProcess

from campfire.clock import SystemClock
from outbox.status import OutboxStatus, outbox_status

SECONDS = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "data", CAMPFIRE_OUTBOX="embedded")
    yield process
    process.end()


async def worker_of(server: ServerProcess, other_than: int = 0) -> int:
    """The pid of the worker that lives, once there is one."""
    async with asyncio.timeout(SECONDS):
        while True:
            status = status_of(server)
            if status is not None and status.worker_alive and status.worker_pid not in (None, other_than):
                return int(status.worker_pid or 0)
            await asyncio.sleep(0.02)


def status_of(server: ServerProcess) -> OutboxStatus | None:
    return outbox_status(server.data / "outbox.db", SystemClock().now_ms())


async def gone(pid: int) -> None:
    async with asyncio.timeout(SECONDS):
        while exists(pid):
            await asyncio.sleep(0.02)


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_killed_worker_is_started_again(server: ServerProcess) -> None:
    """Chat goes on meanwhile; nobody has to get up at night."""
    await asyncio.to_thread(server.start)
    first = await worker_of(server)
    os.kill(first, signal.SIGKILL)
    assert await worker_of(server, other_than=first) != first


async def test_the_worker_ends_with_the_server(server: ServerProcess) -> None:
    """After SIGTERM as after `kill -9`: no worker is left that holds the outbox."""
    await asyncio.to_thread(server.start)
    worker = await worker_of(server)
    assert await asyncio.to_thread(server.stop) == 0
    assert not exists(worker)
    await asyncio.to_thread(server.start)
    worker = await worker_of(server, other_than=worker)
    await asyncio.to_thread(server.kill)
    await gone(worker)


async def test_after_server_and_worker_were_killed_together_the_next_takes_over_at_once(tmp_path: Path) -> None:
    """Nobody waits for the lease of the dead to run out."""
    server = ServerProcess(tmp_path / "data", CAMPFIRE_OUTBOX="embedded", CAMPFIRE_OUTBOX_LEASE="3600")
    try:
        await asyncio.to_thread(server.start)
        first = await worker_of(server)
        os.kill(first, signal.SIGSTOP)  # or it would notice that its server is gone, and give the lease back
        killing = asyncio.create_task(asyncio.to_thread(server.kill))  # which waits for its output's end, too
        await gone(server.pid)
        os.kill(first, signal.SIGKILL)
        await killing
        await gone(first)
        await asyncio.to_thread(server.start)
        second = await worker_of(server, other_than=first)
        status = status_of(server)
        assert status is not None and (status.worker_pid, status.worker_epoch) == (second, 2)
    finally:
        server.end()


async def test_settings_of_the_command_line_reach_the_worker(tmp_path: Path) -> None:
    """It works on the server's data, though the environment names another directory."""
    elsewhere = tmp_path / "elsewhere"
    entry = tmp_path / "serve.py"
    entry.write_text(
        "import sys\n"
        "from campfire.cli import main\n"
        f"sys.argv = ['campfire', 'serve', '--data', {str(tmp_path / 'data')!r}, '--outbox', 'embedded']\n"
        "main()\n"
    )
    server = ServerProcess(elsewhere, entry=entry)
    try:
        await asyncio.to_thread(server.start)
        server.data = tmp_path / "data"
        await worker_of(server)
        assert not elsewhere.exists()
    finally:
        server.end()
