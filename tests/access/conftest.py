"""A server for each module: every cell of the matrix has people and things of its own there."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from access_support.world import Person, World, open_world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(tmp_path_factory.mktemp("access") / "data") as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada(world: World) -> Person:
    """The first administrator, who owns whatever the callers are in or not in."""
    return await world.person("Ada", administrator=True)
