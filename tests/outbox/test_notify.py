"""What systemd hears of the worker, over a real socket (sd_notify(3))."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from outbox_support.chat import Chat
from outbox_support.worker_process import WorkerProcess

from outbox.notify import Notifier


class Systemd:
    """A datagram socket that remembers each word it was told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self._socket.setblocking(False)

    def listen(self) -> None:
        """Take what has come."""
        while True:
            try:
                self.told += self._socket.recv(65_536).decode().split("\n")
            except BlockingIOError:
                return

    async def until(self, word: str, times: int = 1) -> None:
        async with asyncio.timeout(60):
            while self.told.count(word) < times:
                self.listen()
                await asyncio.sleep(0.02)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["a file", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    systemd = Systemd(f"@campfire-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify"))
    yield systemd
    systemd.close()


def service(data: Path, systemd: Systemd, **settings: str) -> WorkerProcess:
    return WorkerProcess(data, NOTIFY_SOCKET=systemd.name, **settings)


async def test_systemd_hears_when_it_delivers_and_when_it_stops(chat: Chat, systemd: Systemd, tmp_path: Path) -> None:
    """Ready once the outbox is its own and the log is proven."""
    worker = service(tmp_path / "data", systemd)
    worker.start()
    try:
        await systemd.until("READY=1")
        assert "STATUS=delivering from position 0 on (epoch 1)" in systemd.told
        assert await asyncio.to_thread(worker.signal, signal.SIGTERM) == 0
    finally:
        worker.end()
    systemd.listen()
    assert systemd.told.index("STOPPING=1") > systemd.told.index("READY=1")


async def test_one_that_stands_by_says_so_and_is_ready_once_it_has_taken_over(
    chat: Chat, systemd: Systemd, worker: WorkerProcess, tmp_path: Path
) -> None:
    """Ready means that it delivers; whom it waits for is in `systemctl status`."""
    worker.start()
    async with asyncio.timeout(60):
        while not chat.engine.settings.outbox_path.exists():
            await asyncio.sleep(0.02)
    standby = service(tmp_path / "data", systemd)
    standby.start()
    try:
        await systemd.until(f"STATUS=standing by: the outbox worker with pid {worker.pid} (epoch 1)")
        assert "READY=1" not in systemd.told
        await asyncio.to_thread(worker.signal, signal.SIGTERM)
        await systemd.until("READY=1")
    finally:
        standby.end()


async def test_the_watchdog_is_told_as_long_as_the_loop_turns(chat: Chat, systemd: Systemd, tmp_path: Path) -> None:
    """Twice in its time; a process that is stopped says nothing."""
    worker = service(tmp_path / "data", systemd, WATCHDOG_USEC="100000")
    worker.start()
    try:
        await systemd.until("WATCHDOG=1", 5)
    finally:
        worker.end()


async def test_a_watchdog_of_another_process_is_not_ours(systemd: Systemd) -> None:
    """Nor is one without a time; and without a socket nothing is said to anybody."""
    for environ in (
        {"NOTIFY_SOCKET": systemd.name, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
        {"NOTIFY_SOCKET": systemd.name, "WATCHDOG_USEC": "0"},
        {"NOTIFY_SOCKET": systemd.name},
        {"WATCHDOG_USEC": "1000"},
    ):
        await Notifier.from_environment(environ).watch()
    Notifier.from_environment({}).ready("nobody hears this")
    systemd.listen()
    assert systemd.told == []


def test_a_socket_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    """Deliveries matter more than what systemd thinks of them."""
    Notifier(str(tmp_path / "nowhere")).stopping()
