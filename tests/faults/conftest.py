from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from faults_support.attempts import Attempts
from faults_support.server_process import ServerProcess
from outbox_support.chat import Chat
from outbox_support.sink import Sink
from outbox_support.worker_process import WorkerProcess

from campfire.config import Settings
from campfire.engine import Engine


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A real server process on its own data directory; started by the test."""
    process = ServerProcess(tmp_path / "data")
    yield process
    process.end()


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    """A chat that is set up, on real files, without a server; closed at the end if it is still open."""
    chat = Chat(await Engine.open(Settings(data=tmp_path / "data")))
    await chat.found()
    yield chat
    await chat.close()


@pytest.fixture
def attempts(chat: Chat) -> Attempts:
    """What its outbox has tried."""
    return Attempts(chat.engine.settings.outbox_path)


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A receiver that says yes to everything."""
    sink = Sink()
    await sink.start()
    yield sink
    await sink.stop()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[WorkerProcess]:
    """The outbox worker's process; started by the test."""
    process = WorkerProcess(tmp_path / "data")
    yield process
    process.end()
