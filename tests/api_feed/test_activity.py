"""Presence over several tabs, and reading."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from campfire.api.feed import activity
from campfire.clock import ManualClock
from campfire.domain.events import PresenceEntered, PresenceLeft, ReadPositionMoved

if TYPE_CHECKING:
    from feed_support.listening import Socket

    from tests.api_feed.conftest import Person, Server


@pytest.fixture
def clock() -> ManualClock:
    """Nobody waits for a grace to be over."""
    return ManualClock()


async def _closed(server: "Server", tabs: "list[Socket]", clock: ManualClock, *, leaving: int) -> None:
    """Close tabs, `leaving` connections open, and let the grace go by."""
    await asyncio.gather(*(tab.raw.close() for tab in tabs))
    await server.eventually(lambda: server.hub.connections == leaving)
    clock.advance(5)


def _on_record(server: "Server", *kinds: type) -> list[object]:
    return [each.event for each in server.engine.reader.read(0, 10_000) if isinstance(each.event, kinds)]


async def test_three_tabs_are_one_presence(
    server: "Server", ada: "Person", bob: "Person", room: str, clock: ManualClock
) -> None:
    """The first to open the room enters, the last to close leaves, and the others are told once."""
    watching = await ada.socket()
    tabs = [await bob.socket() for _ in range(3)]
    for tab in tabs:
        assert (await tab.ask(type="enter", room_id=room))["type"] == "ack"
    present = await watching.next("presence")
    assert present == {"type": "presence", "room_id": room, "user_id": bob.id, "present": True}
    await _closed(server, tabs[:1], clock, leaving=3)
    assert (await tabs[1].ask(type="leave", room_id=room))["type"] == "ack"
    await server.activity.sweep()
    assert bob.id in server.engine.directory.present_in(room)
    await _closed(server, tabs[1:], clock, leaving=1)
    assert (await watching.next("presence"))["present"] is False
    assert len(_on_record(server, PresenceEntered)) == len(_on_record(server, PresenceLeft)) == 1
    assert not [frame for frame in watching.frames if frame["type"] == "event"]


async def test_opening_while_the_last_tab_closes_ends_present(
    server: "Server", ada: "Person", bob: "Person", room: str, clock: ManualClock
) -> None:
    """Whatever the order of commits, the record agrees with the open tabs when all is quiet."""
    for _ in range(20):
        first, second = await bob.socket(), await bob.socket()
        await first.ask(type="enter", room_id=room)
        await asyncio.gather(first.ask(type="leave", room_id=room), second.ask(type="enter", room_id=room))
        assert bob.id in server.engine.directory.present_in(room)
        await _closed(server, [first, second], clock, leaving=0)
        await server.activity.sweep()
        await server.eventually(lambda: bob.id not in server.engine.directory.present_in(room))


async def test_entering_fails_whole(
    server: "Server", ada: "Person", bob: "Person", room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused entering leaves nothing behind that would keep the room occupied."""
    from campfire.errors import CampfireError

    async def full(_: object) -> None:
        raise CampfireError("DISK_FULL", retry_after=5)

    tab = await bob.socket()
    with monkeypatch.context() as patch:
        patch.setattr(server.engine, "perform", full)
        assert (await tab.ask(type="enter", room_id=room))["error"]["code"] == "DISK_FULL"
    await tab.ask(type="enter", room_id=room)
    await tab.ask(type="leave", room_id=room)
    assert bob.id not in server.engine.directory.present_in(room)


async def test_who_is_removed_is_present_no_more_and_may_come_back(
    server: "Server", ada: "Person", bob: "Person", room: str, clock: ManualClock
) -> None:
    """Entering again on the same connection works after being added again."""
    tab = await bob.socket()
    await tab.ask(type="enter", room_id=room)
    await ada.remove(room, bob)
    assert (await tab.ask(type="enter", room_id=room))["error"]["code"] == "ROOM_ACCESS_DENIED"
    await ada.add(room, bob)
    assert (await tab.ask(type="enter", room_id=room))["type"] == "ack"
    assert bob.id in server.engine.directory.present_in(room)
    await _closed(server, [tab], clock, leaving=0)
    await server.eventually(lambda: bob.id not in server.engine.directory.present_in(room))


async def test_reading_is_recorded_at_most_once_a_second_and_the_last_counts(
    server: "Server", ada: "Person", bob: "Person", room: str
) -> None:
    """Scrolling through a room is one event; one's other devices learn of it."""
    positions = [(await ada.post(room, str(number))).position for number in range(30)]
    socket, other = await bob.socket(), await bob.socket()
    for position in positions:
        await socket.send(type="read", room_id=room, position=position)
    moved = await other.event("room.read")
    assert moved["data"] == {"room_id": room, "user_id": bob.id, "position": positions[-1]}
    assert len(_on_record(server, ReadPositionMoved)) == 1


async def test_a_stopping_server_records_what_was_read(
    server: "Server", ada: "Person", bob: "Person", room: str
) -> None:
    """The last second is not lost; and nobody can have read the future."""
    keeper = activity.Activity(server.engine, server.hub)
    keeper.read(room, bob.id, 1 << 70)
    position = server.position
    await keeper.close()
    assert server.engine.directory.read_position(room, bob.id) == position
