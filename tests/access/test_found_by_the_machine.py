"""What the state machine once found, kept as it was found, but for what did not matter."""

from collections.abc import Iterator

import pytest
from access_support.machine import ChatMachine


@pytest.fixture
def state() -> Iterator[ChatMachine]:
    state = ChatMachine()
    yield state
    state.teardown()


def test_who_was_deactivated_then_banned_and_is_brought_back_is_in_the_open_rooms_again(state: ChatMachine) -> None:
    """Lifting the ban alone left them without the rooms and the address that the deactivation had taken."""
    state.begin()
    state.deactivate_or_bring_back(comes_back=False, other="cyd")
    state.ban_or_bring_back(comes_back=False, other="cyd")
    state.deactivate_or_bring_back(comes_back=True, other="cyd")
    state.look()
