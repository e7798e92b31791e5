from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from outbox_support.chat import Chat
from outbox_support.sink import Sink
from outbox_support.worker_process import WorkerProcess

from campfire.config import Settings
from campfire.engine import Engine


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    """A chat that is set up, on real files."""
    engine = await Engine.open(Settings(data=tmp_path / "data"))
    chat = Chat(engine)
    await chat.found()
    yield chat
    await chat.close()


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A receiver that says yes to everything."""
    sink = Sink()
    await sink.start()
    yield sink
    await sink.stop()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[WorkerProcess]:
    """The worker's process, with a schedule for the impatient; started by the test."""
    process = WorkerProcess(
        tmp_path / "data",
        CAMPFIRE_WEBHOOK_RETRY_SCHEDULE="0.05,0.05,0.05",
        CAMPFIRE_WEBHOOK_BREAKER_SECONDS="0.1",
        CAMPFIRE_WEBHOOK_TIMEOUT="5",
    )
    yield process
    process.end()
