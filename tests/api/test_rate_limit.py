from typing import TYPE_CHECKING

import pytest

from campfire.api.rate_limit import RateLimiter
from campfire.clock import ManualClock
from campfire.errors import CampfireError

if TYPE_CHECKING:
    from tests.api.conftest import Chat, OpenChat


async def test_without_a_limit_nothing_is_counted(chat: "Chat") -> None:
    """Off is the default, and then no header speaks of a limit."""
    ada = await chat.set_up()
    for _ in range(100):
        reply = await ada.get("/api/v1/me")
    assert reply.status == 200 and "RateLimit-Limit" not in reply.headers


async def test_beyond_the_limit_a_client_is_told_truly_how_long_to_wait(open_chat: "OpenChat") -> None:
    """429 with Retry-After and the RateLimit headers; after that time, and not before, it goes on."""
    async with open_chat(rate_limit_rpm=6) as chat:
        ada = await chat.set_up()
        allowed = [await ada.get("/api/v1/me") for _ in range(6)]
        assert [reply.headers["RateLimit-Remaining"] for reply in allowed] == ["5", "4", "3", "2", "1", "0"]
        refused = await ada.get("/api/v1/me")
        assert (refused.status, refused.code) == (429, "RATE_LIMIT_EXCEEDED")
        assert (refused.headers["RateLimit-Limit"], refused.headers["RateLimit-Remaining"]) == ("6", "0")
        wait = int(refused.headers["Retry-After"])
        assert wait == 10
        chat.clock.advance(wait - 1)
        assert (await ada.get("/api/v1/me")).status == 429
        chat.clock.advance(1)
        assert (await ada.get("/api/v1/me")).status == 200


async def test_people_do_not_use_up_each_others_allowance(open_chat: "OpenChat") -> None:
    """Each has their own, on all their devices together; who has not signed in shares their address's."""
    async with open_chat(rate_limit_rpm=8) as chat:
        ada = await chat.set_up()
        bob = await chat.joined("Bob")
        while (await ada.get("/api/v1/me")).status == 200:
            pass
        assert (await bob.get("/api/v1/me")).status == 200


async def test_health_is_never_limited(open_chat: "OpenChat") -> None:
    """A probe must not be turned away because others were busy."""
    async with open_chat(rate_limit_rpm=1) as chat:
        assert {(await chat.nobody().get("/health/live")).status for _ in range(20)} == {200}


def test_full_buckets_are_forgotten() -> None:
    """Addresses that come once do not stay in memory for ever."""
    clock = ManualClock()
    limiter = RateLimiter(clock, limit=10, seconds=1)
    for number in range(50_000):
        limiter.take(str(number))
    clock.advance(60)
    limiter.take("one more")
    assert len(limiter._buckets) == 1


def test_a_refused_try_costs_nothing() -> None:
    """Trying while one must wait does not make the wait longer."""
    clock = ManualClock()
    limiter = RateLimiter(clock, limit=1, seconds=10)
    limiter.take("k")
    for _ in range(9):
        clock.advance(1)
        with pytest.raises(CampfireError):
            limiter.take("k")
    clock.advance(1.001)
    limiter.take("k")
