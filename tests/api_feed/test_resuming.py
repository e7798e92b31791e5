"""Coming back: exactly what was missed, or word that one must begin anew."""

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from campfire.api.feed.cursor import MOST_REPLAYED
from campfire.domain.events import MessagePosted, NewEvent
from campfire.domain.ids import random_id

if TYPE_CHECKING:
    from tests.api_feed.conftest import Person, Server


async def _post_many(server: "Server", author: "Person", room: str, count: int) -> None:
    """Fast: many events in one command."""
    for start in range(0, count, 400):
        await server.engine.append(
            [
                NewEvent(
                    message_id,
                    1,
                    MessagePosted(
                        at=1,
                        message_id=message_id,
                        room_id=room,
                        author_id=author.id,
                        author_name="x",
                        body=str(number),
                        client_message_id=str(number),
                    ),
                )
                for number in range(start, min(start + 400, count))
                for message_id in [random_id()]
            ]
        )


@pytest.mark.parametrize("seed", range(3))
async def test_a_client_that_is_cut_off_again_and_again_sees_everything_once_and_in_order(
    server: "Server", ada: "Person", bob: "Person", room: str, seed: int
) -> None:
    """Whatever the moment of the disconnection, and while many post: no gap, no repeat, no disorder."""
    chance = random.Random(seed)
    began = server.position
    the_end = "the end"

    async def post() -> list[int]:
        return [(await ada.post(room, str(number))).position for number in range(60)]

    async def follow() -> list[int]:
        seen: list[int] = []
        while True:
            socket = await bob.socket(seen[-1] if seen else began, server.engine.epoch)
            for _ in range(chance.randrange(1, 40)):
                event = await socket.event("message.posted")
                seen.append(event["position"])
                if event["data"]["body"] == the_end:
                    return seen
            if chance.random() < 0.5:
                await socket.raw.close()
            else:
                socket.raw._response.close()  # as when the network goes away

    async with asyncio.timeout(60):
        following = asyncio.create_task(follow())
        posted = [position for positions in await asyncio.gather(*(post() for _ in range(8))) for position in positions]
        posted.append((await ada.post(room, the_end)).position)
        assert await following == sorted(posted)


async def test_a_long_absence_is_caught_up_page_by_page(
    server: "Server", ada: "Person", bob: "Person", room: str
) -> None:
    """As many events as the server replays at most, while new ones are posted."""
    began = server.position
    await _post_many(server, ada, room, MOST_REPLAYED - 100)
    socket = await bob.socket(began, server.engine.epoch)
    late = [(await ada.post(room, "late")).position for _ in range(20)]
    events = await socket.until(late[-1])
    assert [event["position"] for event in events] == list(range(began + 1, late[-1] + 1))


async def test_without_a_position_the_feed_begins_now(
    server: "Server", ada: "Person", bob: "Person", room: str
) -> None:
    """A client that loads its rooms itself wants only what comes after."""
    await ada.post(room, "before")
    now = server.position
    socket = await bob.socket()
    assert socket.frames[0] == {
        "type": "hello",
        "position": now,
        "epoch": server.engine.epoch,
        "user": {"id": bob.id, "name": "Bob", "role": "member"},
    }
    message = await ada.post(room, "after")
    assert (await socket.next())["position"] == message.position


@pytest.mark.parametrize("since", ["-1", "1.5", "abc", "", "9" * 400, "١٢"])
async def test_a_position_that_cannot_be_read_means_resync(server: "Server", ada: "Person", since: str) -> None:
    """The client is told to begin anew, over each transport, and is live after that."""
    socket = await ada.socket(since)
    assert await socket.next() == {"type": "resync", "position": server.position, "epoch": server.engine.epoch}
    assert (await ada.poll(since)) == {
        "events": [],
        "position": server.position,
        "epoch": server.engine.epoch,
        "resync": True,
    }
    async with ada.event_source(since) as source:
        assert (await source.next())[0] == "resync"
    room = await ada.room()
    assert (await socket.event("room.created"))["data"]["id"] == room
    assert server.hub.alarms == 0


async def test_a_position_of_another_epoch_means_resync(server: "Server", ada: "Person", room: str) -> None:
    """After a restore positions mean something else; nothing is skipped or repeated in silence."""
    socket = await ada.socket(server.position, "another-history")
    assert (await socket.next())["type"] == "resync"
    assert (await ada.poll(server.position, "another-history"))["resync"]
    async with ada.event_source(last_id=f"another-history:{server.position}") as source:
        assert (await source.next())[0] == "resync"
    message = await ada.post(room)
    assert (await socket.event())["position"] == message.position


async def test_a_position_ahead_of_the_log_raises_the_alarm(
    server: "Server", ada: "Person", capsys: pytest.CaptureFixture[str]
) -> None:
    """A client has seen what this log does not hold: history was lost, and somebody must know."""
    socket = await ada.socket(server.position + 5, server.engine.epoch)
    assert (await socket.next())["type"] == "resync"
    assert server.hub.alarms == 1
    captured = capsys.readouterr()
    assert "client_ahead_of_log" in captured.out + captured.err
    async with server.http.get("/health") as answer:
        assert not (await answer.json())["checks"]["feed"]["ok"]


async def test_too_far_behind_means_resync(server: "Server", ada: "Person", room: str) -> None:
    """Beyond the bound a client loads its rooms faster than it would catch up."""
    began = server.position
    await _post_many(server, ada, room, MOST_REPLAYED)
    at_the_bound, beyond = await ada.poll(began), await ada.poll(began - 1)
    assert at_the_bound["events"] and not at_the_bound["resync"]
    assert beyond["resync"] and beyond["position"] == server.position


async def test_a_message_deleted_meanwhile_is_caught_up_without_its_text(
    server: "Server", ada: "Person", bob: "Person", room: str
) -> None:
    """Who was away learns that there was a message, and never what it said, over each transport."""
    began = server.position
    message = await ada.post(room, "the secret")
    await ada.edit(message.id, "another secret")
    kept = await ada.post(room, "kept")
    await ada.delete(message.id)

    def check(events: list[dict[str, Any]]) -> None:
        assert [event["event"] for event in events] == [
            "message.posted",
            "message.edited",
            "message.posted",
            "message.deleted",
        ]
        assert all(event["data"]["body"] == "" and event["data"]["deleted"] is True for event in events[:2])
        assert events[2]["data"]["id"] == kept.id and events[2]["data"]["body"] == "kept"
        assert "deleted" not in events[2]["data"]
        assert "secret" not in str(events)

    check(await (await bob.socket(began)).until(server.position))
    check((await bob.poll(began))["events"])
    async with bob.event_source(began) as source:
        check(await source.until(server.position))


async def test_a_catch_up_that_fails_closes_the_socket(
    server: "Server", ada: "Person", bob: "Person", room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that cannot be read must not look like a quiet room."""
    began = server.position
    await ada.post(room)

    def unreadable(*_: object) -> None:
        raise OSError("input/output error")

    monkeypatch.setattr(server.engine.reader, "read", unreadable)
    socket = await bob.socket(began)
    assert await socket.closed() == 1011


async def test_what_a_message_said_before_it_was_edited_is_not_caught_up(
    server: "Server", ada: "Person", bob: "Person", room: str
) -> None:
    """Only its author and administrators see that; whoever was away or comes later gets the last text."""
    began = server.position
    message = await ada.post(room, "the secret")
    for body in ("another secret", "nothing"):
        await asyncio.sleep(0.002)
        await ada.edit(message.id, body)

    def check(events: list[dict[str, Any]]) -> None:
        assert [event["data"]["body"] for event in events] == ["", "", "nothing"]
        assert [event["data"].get("edited") for event in events] == [True, True, None]

    check(await (await bob.socket(began)).until(server.position))
    check((await bob.poll(began))["events"])
    async with bob.event_source(began) as source:
        check(await source.until(server.position))
