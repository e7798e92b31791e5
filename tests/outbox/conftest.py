from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from outbox_support.chat import Chat
from outbox_support.push import IMPATIENT, PushChat, Working
from outbox_support.serving import Serving
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


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[PushChat]:
    """A chat that is set up and served."""
    chat = Chat(await Engine.open(Settings(data=tmp_path / "data", **IMPATIENT)))
    await chat.found()
    scene = PushChat(chat)
    await scene.serve()
    yield scene
    await scene.stop_serving()
    await chat.close()


@pytest.fixture
async def working(scene: PushChat) -> AsyncIterator[Working]:
    """Started by the test."""
    working = Working(scene.engine.settings)
    yield working
    await working.stop()


@pytest.fixture
async def service() -> AsyncIterator[Sink]:
    """A push service that takes everything (RFC 8030, section 5)."""

    async def accept(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=201)

    sink = Sink(accept)
    await sink.start()
    yield sink
    await sink.stop()


@pytest.fixture
async def serving(chat: Chat) -> AsyncIterator[Serving]:
    """Started by the test."""
    serving = Serving(chat)
    yield serving
    await serving.stop()
