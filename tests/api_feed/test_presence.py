"""Presence lasts as long as something is heard, and what comes meanwhile is read."""

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from campfire.clock import ManualClock
from campfire.domain import events as happened
from campfire.errors import CampfireError

if TYPE_CHECKING:
    from feed_support.listening import Socket

    from tests.api_feed.conftest import Person, Server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def _comings_and_goings(server: "Server") -> list[str]:
    topics = [each.event.topic for each in server.engine.reader.read(0, 10_000)]
    return [topic for topic in topics if topic.startswith("presence.")]


async def _present(person: "Person", room: str) -> list[str]:
    return [each["user_id"] for each in (await person.call("GET", f"/rooms/{room}/presence"))["present"]]


def _recounted(server: "Server", room: str, person: "Person") -> int:
    """How much is unread, from the log alone: nothing where one is present, else what others said since one read."""
    unread: set[int] = set()
    present = False
    for recorded in server.engine.reader.read(0, 10_000):
        event = recorded.event
        if isinstance(event, happened.MessagePosted) and (event.room_id, event.author_id) != (room, person.id):
            unread.add(recorded.position)
        elif isinstance(event, happened.PresenceReset):
            present = False
        elif isinstance(event, (happened.PresenceEntered, happened.PresenceLeft, happened.ReadPositionMoved)):
            if (event.room_id, event.user_id) != (room, person.id):
                continue
            if isinstance(event, happened.ReadPositionMoved):
                unread = {position for position in unread if position > event.position}
            else:
                present = isinstance(event, happened.PresenceEntered)
    return 0 if present else len(unread)


async def _sign_of_life(socket: "Socket", room: str) -> None:
    await socket.ask(type="typing", room_id=room, typing=False)


async def _mute(person: "Person", room: str) -> "Socket":
    """In the room, on a connection whose other end answers no ping."""
    socket = await person.socket(autoping=False)
    assert (await socket.ask(type="enter", room_id=room))["type"] == "ack"
    return socket


async def test_a_dead_connection_is_gone_after_a_minute_and_told_why(
    server: "Server", ada: "Person", bob: "Person", room: str, clock: ManualClock
) -> None:
    """Whose machine is off is not present, though no TCP connection ever ended."""
    watching, dead = await ada.socket(), await _mute(bob, room)
    clock.advance(30)
    await server.hub.beat()
    async with asyncio.timeout(10):
        while (await dead.raw.receive()).type != aiohttp.WSMsgType.PING:
            pass
    clock.advance(29.9)
    await _sign_of_life(watching, room)
    await server.activity.sweep()
    assert await _present(ada, room) == [bob.id]
    clock.advance(0.1)
    async with asyncio.timeout(10):
        while (last := await dead.raw.receive()).type != aiohttp.WSMsgType.CLOSE:
            pass
    assert (last.data, last.extra) == (4408, "NO_SIGN_OF_LIFE")
    assert (await watching.next("presence"))["present"] is False
    assert await _present(ada, room) == []
    assert server.hub.connections == 1


async def test_whoever_answers_pings_stays(
    server: "Server", ada: "Person", bob: "Person", room: str, clock: ManualClock
) -> None:
    """A client does nothing for it: browsers and libraries answer by themselves."""
    quiet = await bob.socket()
    await quiet.ask(type="enter", room_id=room)
    reading = asyncio.create_task(quiet.next("event"))
    [connection] = server.hub._everybody()
    for _ in range(5):
        clock.advance(50)
        later = clock.monotonic() + 59
        assert connection.is_silent(later)
        await server.hub.beat()
        await server.eventually(lambda later=later: not connection.is_silent(later))  # type: ignore[misc]
        await server.activity.sweep()
    assert await _present(ada, room) == [bob.id]
    await ada.post(room)
    await reading
    assert _comings_and_goings(server) == ["presence.entered"]


async def test_the_servers_pings_and_those_of_a_client_are_answered(ada: "Person", bob: "Person", room: str) -> None:
    """A client may ask as well (RFC 6455 section 5.5.2); the answer says the same back."""
    socket = await bob.socket(autoping=False)
    for payload in (b"", b"x" * 125):
        await socket.raw.ping(payload)
        async with asyncio.timeout(10):
            while (answer := await socket.raw.receive()).type != aiohttp.WSMsgType.PONG:
                pass
        assert answer.data == payload


@pytest.mark.parametrize("end", ["closed", "cut"])
async def test_a_connection_that_breaks_and_comes_back_leaves_no_trace(
    server: "Server", ada: "Person", bob: "Person", room: str, clock: ManualClock, end: str
) -> None:
    """Reloading a page, or a moment without network, is neither leaving nor entering."""
    watching, socket = await ada.socket(), await bob.socket()
    await socket.ask(type="enter", room_id=room)
    for _ in range(3):
        if end == "closed":
            await socket.raw.close()
        else:
            socket.raw.get_extra_info("socket").shutdown(2)
        await server.eventually(lambda: server.hub.connections == 1)
        clock.advance(4.9)
        await server.activity.sweep()
        socket = await bob.socket()
        await socket.ask(type="enter", room_id=room)
        clock.advance(5)
        await server.activity.sweep()
    await ada.post(room)
    await watching.event("message.posted")
    assert _comings_and_goings(server) == ["presence.entered"]
    assert [frame["present"] for frame in watching.frames if frame["type"] == "presence"] == [True]
    await socket.raw.close()
    await server.eventually(lambda: server.hub.connections == 1)
    clock.advance(5)
    assert (await watching.next("presence"))["present"] is False
    assert _comings_and_goings(server) == ["presence.entered", "presence.left"]


async def test_presence_without_a_websocket_is_renewed_and_each_sessions_own(
    server: "Server", ada: "Person", bob: "Person", room: str, clock: ManualClock
) -> None:
    """PUT enters and renews for a minute, DELETE leaves; another device of the same person stays."""
    phone, place = await server.second_session(bob), f"/rooms/{room}/presence"
    assert await bob.call("PUT", place) is None
    clock.advance(50)
    assert await bob.call("PUT", place) is None
    clock.advance(50)
    assert await phone.call("PUT", place) is None
    await server.activity.sweep()
    assert await _present(ada, room) == [bob.id]
    assert await bob.call("DELETE", place) is None
    assert await _present(ada, room) == [bob.id]
    clock.advance(59.9)
    await server.activity.sweep()
    assert await _present(ada, room) == [bob.id]
    clock.advance(0.1)
    await server.activity.sweep()
    await server.eventually(lambda: not server.engine.directory.anybody_present())
    assert await _present(ada, room) == [] and await phone.call("DELETE", place) is None
    assert _comings_and_goings(server) == ["presence.entered", "presence.left"]


async def test_an_ended_session_is_present_no_more(
    server: "Server", ada: "Person", bob: "Person", room: str, clock: ManualClock
) -> None:
    """Without a grace: whoever signed out will not be back in a moment."""
    phone = await server.second_session(bob)
    socket = await bob.socket()
    await socket.ask(type="enter", room_id=room)
    await phone.call("PUT", f"/rooms/{room}/presence")
    await bob.end_session()
    assert await socket.closed() == 4401
    await phone.end_session()
    await server.eventually(lambda: not server.engine.directory.anybody_present())


async def test_whoever_is_removed_is_present_no_more_at_once(
    server: "Server", ada: "Person", bob: "Person", room: str, clock: ManualClock
) -> None:
    """Those who stay are told, and nothing is recorded about the room that they lost."""
    watching, tab = await ada.socket(), await bob.socket()
    await tab.ask(type="enter", room_id=room)
    await bob.call("PUT", f"/rooms/{room}/presence")
    await ada.remove(room, bob)
    assert [(await watching.next("presence"))["present"] for _ in range(2)] == [True, False]
    assert await _present(ada, room) == []
    await ada.add(room, bob)
    await tab.raw.close()
    clock.advance(60)
    await server.activity.sweep()
    assert await _present(ada, room) == [] and _comings_and_goings(server) == ["presence.entered"]


async def test_outsiders_learn_nothing_of_a_room(ada: "Person", bob: "Person", eve: "Person", room: str) -> None:
    """Neither who is there, nor by entering."""
    for method in ("GET", "PUT", "DELETE"):
        assert await eve.call(method, f"/rooms/{room}/presence") == "ROOM_ACCESS_DENIED"
    assert await _present(ada, room) == []


async def test_what_comes_while_one_is_present_is_read(
    server: "Server", ada: "Person", bob: "Person", room: str, clock: ManualClock
) -> None:
    """At once, and without an event for each message; after leaving it counts again."""
    await ada.post(room, "before")
    assert await bob.unread(room) == _recounted(server, room, bob) == 1
    socket = await bob.socket()
    await socket.ask(type="enter", room_id=room)
    assert await bob.unread(room) == _recounted(server, room, bob) == 0
    for _ in range(50):
        await ada.post(room)
    assert await bob.unread(room) == _recounted(server, room, bob) == 0
    await socket.ask(type="leave", room_id=room)
    assert await bob.unread(room) == _recounted(server, room, bob) == 0
    await ada.post(room, "after")
    assert await bob.unread(room) == _recounted(server, room, bob) == 1
    reads = [
        each for each in server.engine.reader.read(0, 10_000) if isinstance(each.event, happened.ReadPositionMoved)
    ]
    assert len(reads) == 2
    told = [frame["data"] for frame in socket.frames if frame.get("event") == "room.read"]
    assert [each["user_id"] for each in told] == [bob.id, bob.id]


async def test_what_came_after_the_last_sign_of_life_is_unread_once_that_is_known(
    server: "Server", ada: "Person", bob: "Person", room: str, clock: ManualClock
) -> None:
    """Nobody misses a message because their machine went off with the room open."""
    await _mute(bob, room)
    await ada.post(room, "never seen")
    assert await bob.unread(room) == _recounted(server, room, bob) == 0
    clock.advance(60)
    await server.eventually(lambda: not server.engine.directory.anybody_present())
    assert await bob.unread(room) == _recounted(server, room, bob) == 1


async def test_a_full_disk_postpones_leaving(
    server: "Server", ada: "Person", bob: "Person", room: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is recorded as soon as the log takes it, and tried every few seconds until then."""
    tries = 0

    async def full(_: object) -> None:
        nonlocal tries
        tries += 1
        raise CampfireError("DISK_FULL", retry_after=5)

    await bob.call("PUT", f"/rooms/{room}/presence")
    with monkeypatch.context() as patch:
        patch.setattr(server.engine, "perform", full)
        clock.advance(60)
        await server.activity.sweep()
        await server.eventually(lambda: tries == 1)
        await server.activity.sweep()
        assert tries == 1
    assert await _present(ada, room) == [bob.id]
    clock.advance(5)
    await server.eventually(lambda: not server.engine.directory.anybody_present())


async def test_a_stopping_server_records_that_everybody_left(
    server: "Server", ada: "Person", bob: "Person", room: str, clock: ManualClock
) -> None:
    """So that the next start finds nobody left behind, and what was seen is read."""
    await bob.call("PUT", f"/rooms/{room}/presence")
    await ada.post(room)
    await bob.call("PUT", f"/rooms/{room}/presence")
    await server.activity.close()
    assert not server.engine.directory.anybody_present()
    assert await bob.unread(room) == _recounted(server, room, bob) == 0
