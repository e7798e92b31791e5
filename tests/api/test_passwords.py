import asyncio
from collections.abc import Iterator

import pytest

from campfire.api.passwords import Passwords
from campfire.errors import CampfireError


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords()
    yield passwords
    passwords.close()


async def test_only_the_right_password_fits(passwords: Passwords) -> None:
    """And none fits somebody who does not exist."""
    kept = await passwords.hash("correct horse")
    assert await passwords.verify(kept, "correct horse")
    assert not await passwords.verify(kept, "correct house")
    assert not await passwords.verify(None, "correct horse")
    assert not await passwords.verify(None, "a password that nobody has")


async def test_the_same_password_is_kept_differently_each_time(passwords: Passwords) -> None:
    """Two people with one password cannot be told from what is kept."""
    assert await passwords.hash("correct horse") != await passwords.hash("correct horse")


async def test_a_flood_waits_in_a_bounded_line(passwords: Passwords) -> None:
    """Those beyond it are told to come back instead of waiting for ever; afterwards there is room again."""
    results = await asyncio.gather(*(passwords.verify(None, "guess") for _ in range(100)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, CampfireError)]
    assert results.count(False) == 32 and len(refused) == 68
    assert {(error.code, error.retry_after) for error in refused} == {("SERVER_BUSY", 2)}
    assert not await passwords.verify(None, "guess")
