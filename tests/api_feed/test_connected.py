"""Who is connected at all."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from campfire.clock import ManualClock
from campfire.domain.people import decide_deactivate

if TYPE_CHECKING:
    from tests.api_feed.conftest import Person, Server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def _connected(person: "Person") -> set[str]:
    return set((await person.call("GET", "/presence"))["connected"])


async def test_who_comes_and_who_goes_is_told_to_everybody(
    server: "Server", ada: "Person", bob: "Person", eve: "Person", clock: ManualClock
) -> None:
    """Once for all devices of a person, after a moment for coming back, and many in one frame."""
    watching = await ada.socket()
    assert ada.id in (await watching.next("connected"))["came"]
    phone, laptop = await bob.socket(), await bob.socket()
    async with eve.event_source() as source:
        await source.next()
        came: set[str] = set()
        while came != {bob.id, eve.id}:
            told = await watching.next("connected")
            came |= set(told["came"])
            assert told["gone"] == []
        assert await _connected(eve) == {ada.id, bob.id, eve.id}
    await phone.raw.close()
    await server.eventually(lambda: server.hub.connections == 2)
    await server.activity.sweep()
    clock.advance(5)
    assert await watching.next("connected") == {"type": "connected", "came": [], "gone": [eve.id]}
    await laptop.raw.close()
    await server.eventually(lambda: server.hub.connections == 1)
    await server.activity.sweep()
    clock.advance(4.9)
    assert await _connected(ada) == {ada.id, bob.id}
    laptop = await bob.socket()
    await server.activity.sweep()
    clock.advance(10)
    await laptop.raw.close()
    await server.eventually(lambda: server.hub.connections == 1)
    await server.activity.sweep()
    clock.advance(5)
    assert await watching.next("connected") == {"type": "connected", "came": [], "gone": [bob.id]}
    assert await _connected(ada) == {ada.id}


async def test_who_polls_is_connected_between_two_polls(
    server: "Server", ada: "Person", bob: "Person", room: str, clock: ManualClock
) -> None:
    """Also when each poll is answered at once; asking once in a while is not following."""
    began = server.position
    await ada.post(room)
    await bob.poll(began, wait=0)
    await server.activity.sweep()
    assert await _connected(ada) == set()
    await bob.poll(began, wait=25)
    await server.activity.sweep()
    assert await _connected(ada) == {bob.id}
    clock.advance(4)
    polling = asyncio.create_task(bob.poll(server.position, wait=25))
    await server.eventually(lambda: server.hub.connections == 1)
    clock.advance(20)
    await server.activity.sweep()
    assert await _connected(ada) == {bob.id}
    await ada.post(room)
    await polling
    clock.advance(5)
    await server.activity.sweep()
    assert await _connected(ada) == set()


async def test_who_was_deactivated_is_connected_no_more(
    server: "Server", ada: "Person", bob: "Person", clock: ManualClock
) -> None:
    """At once, not after the grace."""
    watching, socket = await ada.socket(), await bob.socket()
    while bob.id not in (await watching.next("connected"))["came"]:
        pass
    await server.do(decide_deactivate, user_id=bob.id, actor_id=ada.id)
    assert await socket.closed() == 4401
    while bob.id not in (await watching.next("connected"))["gone"]:
        pass
    assert await _connected(ada) == {ada.id}
