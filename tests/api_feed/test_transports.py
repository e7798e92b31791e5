"""One feed, three transports."""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.api_feed.conftest import Person, Server


async def _something_of_everything(server: "Server", ada: "Person", bob: "Person", eve: "Person", room: str) -> None:
    message = await ada.post(room, "hello \u2028 \U0001f3d5 \n\r data: x")
    await ada.edit(message.id, "changed")
    await bob.post(room, "x" * 9_000)
    await ada.add(room, eve)
    await ada.remove(room, eve)
    await server.second_session(bob)
    await bob.room(eve, kind="direct", name="")


async def test_the_same_events_come_over_every_transport(
    server: "Server", ada: "Person", bob: "Person", eve: "Person", room: str
) -> None:
    """WebSocket, Server-Sent Events and long poll show the same objects, live and on replay alike."""
    began = server.position
    live_socket = await bob.socket()
    async with bob.event_source() as live_source:
        await live_source.next()
        polled: list[object] = []

        async def poll() -> None:
            place = began
            while True:
                page = await bob.poll(place, server.engine.epoch, wait=5)
                polled.extend(page["events"])
                place = page["position"]

        polling = asyncio.create_task(poll())
        await _something_of_everything(server, ada, bob, eve, room)
        last = server.position
        live = await live_socket.until(last)
        assert await live_source.until(last) == live
        await server.eventually(lambda: len(polled) >= len(live))
        polling.cancel()
    assert polled == live

    await ada.delete(live[0]["data"]["id"])
    last = server.position
    replayed = await (await bob.socket(began)).until(last)
    async with bob.event_source(began) as source:
        assert await source.until(last) == replayed
    assert (await bob.poll(began))["events"] == replayed
    assert [event["position"] for event in replayed] == [event["position"] for event in live] + [last]


async def test_an_event_source_has_the_headers_of_every_answer(server: "Server", ada: "Person") -> None:
    """The id to ask an administrator about, and no way to be framed or cached."""
    async with ada.event_source() as source:
        headers = source.response.headers
    assert headers["X-Request-Id"] and headers["Cache-Control"] == "no-store"
    assert "Content-Security-Policy" in headers


async def test_an_event_source_resumes_by_its_last_event_id(
    server: "Server", ada: "Person", bob: "Person", room: str
) -> None:
    """The browser reconnects by itself, with the first address and the last id; the id wins."""
    began = server.position
    async with bob.event_source(began) as source:
        first = await ada.post(room, "first")
        await source.until(first.position)
    assert source.last_id == f"{server.engine.epoch}:{first.position}"
    second = await ada.post(room, "second")
    async with bob.event_source(began, source.last_id) as source:
        assert [event["position"] for event in await source.until(second.position)] == [second.position]


async def test_a_long_poll_waits_for_the_next_event(server: "Server", ada: "Person", bob: "Person", room: str) -> None:
    """It is answered at once when something comes, and with nothing lost between two polls."""
    waiting = asyncio.create_task(bob.poll(server.position, wait=25))
    await server.eventually(lambda: server.hub.connections == 1)
    message = await ada.post(room)
    async with asyncio.timeout(5):
        page = await waiting
    assert [event["position"] for event in page["events"]] == [message.position]
    assert page["position"] == message.position and not page["resync"] and server.hub.connections == 0


async def test_a_long_poll_with_nothing_to_say_moves_on(
    server: "Server", ada: "Person", eve: "Person", room: str
) -> None:
    """Others' events move the position, so that the next poll need not look at them again."""
    began = server.position
    await ada.post(room, "not for Eve")
    page = await eve.poll(began)
    assert page["events"] == [] and page["position"] == server.position
    page = await eve.poll(page["position"], wait=1)
    assert page["events"] == [] and page["position"] == server.position


async def test_long_polls_under_load_lose_and_repeat_nothing(
    server: "Server", ada: "Person", bob: "Person", room: str
) -> None:
    """Each poll goes on where the last one ended."""
    began = server.position

    async def post() -> list[int]:
        return [(await ada.post(room, str(number))).position for number in range(50)]

    posting = asyncio.gather(*(post() for _ in range(4)))
    seen: list[int] = []
    place = began
    while not posting.done() or place < server.position:
        page = await bob.poll(place, wait=1)
        seen += [event["position"] for event in page["events"]]
        place = page["position"]
    assert seen == sorted(position for positions in await posting for position in positions)


async def test_signals_reach_an_event_source_too(server: "Server", ada: "Person", bob: "Person", room: str) -> None:
    """Typing, presence and status travel beside the feed as named events, which need no id."""
    async with bob.event_source() as source:
        await source.next()
        place = source.last_id
        typist = await ada.socket()
        await typist.send(type="typing", room_id=room)
        name, typing = await source.next()
        assert name == "typing" and typing["user"] == {"id": ada.id, "name": "Ada"}
        server.hub.announce_status({"read_only": True})
        name, status = await source.next()
        assert name == "status" and status["read_only"] is True
        assert source.last_id == place
