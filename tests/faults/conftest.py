from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from faults_support.attempts import Attempts
from faults_support.server_process import ServerProcess
from outbox_support.chat import Chat

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
    """A chat that is set up, for an outbox to tell of."""
    chat = Chat(await Engine.open(Settings(data=tmp_path / "data")))
    await chat.found()
    yield chat
    await chat.close()


@pytest.fixture
def attempts(chat: Chat) -> Attempts:
    """What its outbox has tried."""
    return Attempts(chat.engine.settings.outbox_path)
