"""Who sees what: membership is checked on every transport, live and on replay."""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feed_support.listening import Socket

    from tests.api_feed.conftest import Person, Server


async def _seen_by_now(socket: "Socket", person: "Person") -> list[str]:
    """The bodies that arrived before something that certainly arrives."""
    marker = await person.room(name="marker")
    while (await socket.event())["data"].get("id") != marker:
        pass
    return [frame["data"]["body"] for frame in socket.frames if frame.get("event") == "message.posted"]


async def test_a_closed_room_is_seen_by_its_members_only(
    server: "Server", ada: "Person", bob: "Person", eve: "Person", room: str
) -> None:
    """Neither live nor on replay, by any transport, does an outsider see a word."""
    began = server.position
    sockets = [await person.socket() for person in (ada, bob, eve)]
    await ada.post(room, "among us")
    seen = [await _seen_by_now(socket, person) for socket, person in zip(sockets, (ada, bob, eve), strict=True)]
    assert seen == [["among us"], ["among us"], []]
    replayed = await _seen_by_now(await eve.socket(began), eve)
    assert replayed == []
    assert not [event for event in (await eve.poll(began))["events"] if event["event"] == "message.posted"]


async def test_a_direct_room_is_between_two(ada: "Person", bob: "Person", eve: "Person") -> None:
    """The administrator is no exception."""
    watching = await ada.socket()
    listening = await eve.socket()
    room = await bob.room(eve, kind="direct", name="")
    await bob.post(room, "psst")
    assert (await listening.event("message.posted"))["data"]["body"] == "psst"
    assert await _seen_by_now(watching, ada) == []
    assert not any(frame.get("event") == "room.created" and frame["data"]["id"] == room for frame in watching.frames)


async def test_who_is_removed_learns_of_it_and_of_nothing_after(
    server: "Server", ada: "Person", bob: "Person", room: str
) -> None:
    """The removal is the last that the feed says of the room."""
    socket = await bob.socket()
    began = server.position
    await ada.post(room, "before")
    await ada.remove(room, bob)
    await ada.post(room, "after")
    assert await _seen_by_now(socket, bob) == ["before"]
    removal = next(frame for frame in socket.frames if frame.get("event") == "member.removed")
    assert removal["data"] == {"room_id": room, "user_id": bob.id, "by": ada.id}
    away = await bob.socket(began)
    assert await _seen_by_now(away, bob) == []
    assert any(frame.get("event") == "member.removed" for frame in away.frames)


async def test_who_is_added_sees_the_room_from_then_on(ada: "Person", eve: "Person", room: str) -> None:
    """First that they were added, then what is said."""
    socket = await eve.socket()
    await ada.post(room, "before")
    await ada.add(room, eve)
    await ada.post(room, "after")
    added = await socket.event()
    assert added["event"] == "member.added" and added["data"]["user_id"] == eve.id
    assert (await socket.event())["data"]["body"] == "after"


async def test_sessions_are_seen_by_their_owner_and_webhooks_by_administrators(
    server: "Server", ada: "Person", bob: "Person"
) -> None:
    """Signing in on another device shows on one's own devices, and carries no token."""
    watching, listening = await ada.socket(), await bob.socket()
    other = await server.second_session(bob)
    started = await listening.event()
    assert started["event"] == "session.started" and started["data"]["id"] == other.session_id
    assert "hash" not in str(started)
    assert await _seen_by_now(watching, ada) == []
    assert not any(frame.get("event") == "session.started" for frame in watching.frames)


async def test_a_batch_for_different_audiences_reaches_each_in_order(
    server: "Server", ada: "Person", bob: "Person", eve: "Person", room: str
) -> None:
    """Many rooms in one commit: everybody gets theirs, in the log's order."""
    other = await ada.room(eve)
    sockets = {person: await person.socket() for person in (ada, bob, eve)}
    posted = await asyncio.gather(*(ada.post(where, str(number)) for number in range(50) for where in (room, other)))
    await server.second_session(eve)
    positions = {where: sorted(m.position for m in posted if m.room_id == where) for where in (room, other)}
    wanted = {ada: sorted(positions[room] + positions[other]), bob: positions[room], eve: positions[other]}
    for person, socket in sockets.items():
        events = [await socket.event("message.posted") for _ in wanted[person]]
        assert [event["position"] for event in events] == wanted[person]
