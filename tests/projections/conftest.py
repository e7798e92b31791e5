"""Read models in real files, filled from histories made by hand."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from projections_support.history import History, batch_of

from projections.projector import Projector
from projections.read_models import ReadModels


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return tmp_path / "campfire.db"


@pytest.fixture
def projector(live: Path) -> Iterator[Projector]:
    projector = Projector(live)
    projector.open()
    yield projector
    projector.close()


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
async def read_models(projector: Projector, live: Path) -> AsyncIterator[ReadModels]:
    """Open for queries on what `projector` keeps."""
    read_models = ReadModels(live)
    async with AsyncExitStack() as stack:
        await read_models.open()
        stack.push_async_callback(read_models.close)
        yield read_models


@pytest.fixture
def project(projector: Projector, history: History) -> Callable[[], None]:
    """Let the read models take in, as one batch, what has happened since the last time."""

    def take_in() -> None:
        new: Sequence[object] = history.since(projector.lowest_position())
        if new:
            projector.apply(batch_of(history.since(projector.lowest_position())))

    return take_in
