"""Who types is told to the others, and is over by itself."""

from typing import TYPE_CHECKING, Any

import pytest

from campfire.api.feed import typing as typing_module
from campfire.clock import ManualClock

if TYPE_CHECKING:
    from feed_support.listening import Socket

    from tests.api_feed.conftest import Person, Server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def _told(socket: "Socket") -> list[bool]:
    """What a socket that has been read was told of typing."""
    return [frame["typing"] for frame in socket.frames if frame["type"] == "typing"]


async def _read_on(socket: "Socket") -> None:
    """Read all that the server has sent so far."""
    await socket.ask(type="read", room_id=(await socket.next("event"))["data"]["room_id"], position=0)


async def test_typing_is_told_to_the_others_once_a_second_at_most(
    ada: "Person", bob: "Person", eve: "Person", room: str
) -> None:
    """Not to oneself, not to outsiders, and never as a flood, however the client tries."""
    mine, theirs, outside = await ada.socket(), await bob.socket(), await eve.socket()
    for _ in range(50):
        await mine.send(type="typing", room_id=room)
        await mine.send(type="typing", room_id=room, typing=False)
    message = await ada.post(room, "done")
    await theirs.until(message.position)
    await mine.until(message.position)
    told = [frame for frame in theirs.frames if frame["type"] == "typing"]
    assert told[0] == {"type": "typing", "room_id": room, "user": {"id": ada.id, "name": "Ada"}, "typing": True}
    assert told[1]["typing"] is False and len(told) <= 4
    assert not [frame for frame in mine.frames if frame["type"] == "typing"]
    await eve.room()
    await outside.event("room.created")
    assert not [frame for frame in outside.frames if frame["type"] == "typing"]


async def test_typing_that_is_not_renewed_is_over_after_five_seconds(
    server: "Server", ada: "Person", bob: "Person", eve: "Person", clock: ManualClock
) -> None:
    """Everybody who was told is told so, though the client says nothing more."""
    room = await ada.room(bob, eve)
    mine, *others = [await person.socket() for person in (ada, bob, eve)]
    await mine.ask(type="typing", room_id=room)
    clock.advance(4.9)
    await mine.ask(type="typing", room_id=room)
    clock.advance(4.9)
    await server.activity.sweep()
    for other in others:
        assert (await other.next("typing"))["typing"] and (await other.next("typing"))["typing"]
    clock.advance(0.1)
    for other in others:  # by the server's own sweep
        over = await other.next("typing")
        assert over == {"type": "typing", "room_id": room, "user": {"id": ada.id, "name": "Ada"}, "typing": False}


@pytest.mark.parametrize("end", ["posting", "leaving", "leaving over HTTP", "removal", "going", "silence"])
async def test_typing_is_over_as_soon_as_it_certainly_is(
    server: "Server", ada: "Person", bob: "Person", room: str, clock: ManualClock, end: str
) -> None:
    """Nobody waits for a message that has come, or from somebody who has gone."""
    watching, typist = await ada.socket(), await bob.socket()
    await typist.ask(type="enter", room_id=room)
    if end == "leaving over HTTP":
        await bob.call("PUT", f"/rooms/{room}/presence")
        await typist.ask(type="leave", room_id=room)
    await typist.ask(type="typing", room_id=room)
    assert (await watching.next("typing"))["typing"] is True
    if end == "posting":
        await bob.post(room)
    elif end == "leaving":
        await typist.ask(type="leave", room_id=room)
    elif end == "leaving over HTTP":
        await bob.call("DELETE", f"/rooms/{room}/presence")
    elif end == "removal":
        await ada.remove(room, bob)
    elif end == "going":
        await typist.raw.close()
    else:
        clock.advance(59)
        await watching.ask(type="typing", room_id=room, typing=False)
        clock.advance(1)
        await server.activity.sweep()
    over = await watching.next("typing")
    assert (over["user"]["id"], over["typing"]) == (bob.id, False)
    await server.activity.sweep()
    await ada.post(room, "the end")
    await _read_on(watching)
    assert _told(watching) == [True, False]


async def test_typing_without_a_websocket(
    server: "Server", ada: "Person", bob: "Person", eve: "Person", room: str
) -> None:
    """PUT says and renews it, DELETE ends it, and only members may."""
    watching = await ada.socket()
    assert await bob.call("PUT", f"/rooms/{room}/typing") is None
    assert (await watching.next("typing"))["typing"] is True
    assert await bob.call("DELETE", f"/rooms/{room}/typing") is None
    assert (await watching.next("typing"))["typing"] is False
    for method in ("PUT", "DELETE"):
        assert await eve.call(method, f"/rooms/{room}/typing") == "ROOM_ACCESS_DENIED"


async def test_more_typists_than_are_kept_are_not_announced(
    server: "Server", ada: "Person", bob: "Person", room: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded, nobody who was announced stays so for ever, and there is room again soon."""
    monkeypatch.setattr(typing_module, "_MOST_TYPING", 1)
    mine, theirs = await ada.socket(), await bob.socket()
    await mine.ask(type="typing", room_id=room)
    await theirs.ask(type="typing", room_id=room)
    clock.advance(5)
    await server.activity.sweep()
    await theirs.ask(type="typing", room_id=room)
    assert _told(theirs) == [True, False]
    announced: dict[str, Any] = await mine.next("typing")
    assert announced["user"]["id"] == bob.id and _told(mine) == [True]
