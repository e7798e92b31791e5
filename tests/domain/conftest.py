import pytest
from domain_support.world import World


@pytest.fixture
def world() -> World:
    """A server that nobody has set up."""
    return World()


@pytest.fixture
def ada(world: World) -> str:
    """The administrator."""
    return world.found("Ada")


@pytest.fixture
def bob(world: World, ada: str) -> str:
    """A member."""
    return world.join("Bob")


@pytest.fixture
def eve(world: World, bob: str) -> str:
    """Another member."""
    return world.join("Eve")
