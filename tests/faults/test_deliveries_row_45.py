"""Row 45 of the fault table: what push services answer, and a backlog of pushes after an outage."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from outbox_support.chat import Chat
from outbox_support.push import IMPATIENT, Person, PushChat, Working, answering, at_rest, until, until_followed
from outbox_support.sink import Sink

from campfire.config import Settings
from campfire.domain import events as happened
from campfire.domain import ids
from campfire.engine import Engine
from outbox.push.queries import push_ids_of, push_status, push_story
from outbox.queries import rows_of

BACKLOG = int(os.environ.get("PUSHES", "2000"))
ROOMS = 10
_AT_ONCE = 500


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[PushChat]:
    """A chat that is set up and served."""
    chat = Chat(await Engine.open(Settings(data=tmp_path / "data", **IMPATIENT)))
    await chat.found()
    scene = PushChat(chat)
    await scene.serve()
    yield scene
    await scene.stop_serving()
    await chat.close()


@pytest.fixture
async def working(scene: PushChat) -> AsyncIterator[Working]:
    """Started by the test."""
    working = Working(scene.engine.settings)
    yield working
    await working.stop()


@pytest.fixture
async def service() -> AsyncIterator[Sink]:
    """A push service that takes everything."""
    sink = Sink(answering(201))
    await sink.start()
    yield sink
    await sink.stop()


async def direct_message(scene: PushChat, service: Sink) -> tuple[Person, Person, str]:
    """Ada, who writes to Bob, who has a device; and their room."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    return ada, bob, await scene.room("direct", "", ada, bob)


async def devices_of(scene: PushChat, person: Person) -> int:
    return len((await scene.call(person, "GET", "/api/v1/me/push-subscriptions"))["push_subscriptions"])


@pytest.mark.parametrize("status", [404, 410])
async def test_row_45_a_device_that_is_gone_is_dropped(
    scene: PushChat, service: Sink, working: Working, status: int
) -> None:
    """By an event, so that nobody sends there again."""
    ada, bob, room_id = await direct_message(scene, service)
    service.answer = answering(status)
    working.start()
    await scene.post(ada, room_id, "one")
    await until(scene, lambda found: found.dropped == {"gone": 1})
    assert await devices_of(scene, bob) == 0
    await scene.post(ada, room_id, "two")
    await until_followed(scene)
    assert len(service.received) == 1


async def test_row_45_a_push_that_is_too_large_is_made_smaller(
    scene: PushChat, service: Sink, working: Working
) -> None:
    """413: cut to the next smaller size, at once, until it is taken."""
    ada, bob, room_id = await direct_message(scene, service)
    service.answer = answering(413, 413, 201)
    working.start()
    await scene.post(ada, room_id, "漢" * 1_000)
    await until(scene, lambda found: found.delivered == 1)
    lengths = [len(received.body) for received in service.received]
    assert len(lengths) == 3 and lengths == sorted(set(lengths), reverse=True)
    assert bob.browser.read(service.received[-1])["notification"]["body"].endswith("…")


@pytest.mark.parametrize("status", [401, 403])
async def test_row_45_a_refused_key_is_stopped_with_an_alarm(
    scene: PushChat, service: Sink, working: Working, status: int
) -> None:
    """No storm of refused requests; the device stays subscribed, since it is our key that is wrong."""
    ada, bob, room_id = await direct_message(scene, service)
    service.answer = answering(status)
    working.start()
    for number in range(3):
        await scene.post(ada, room_id, f"number {number}")
        await until(scene, lambda found, number=number: found.dropped == {"refused": number + 1})
    found = await until_followed(scene)
    assert len(service.received) == 1 and await devices_of(scene, bob) == 1
    assert found.alarms == [f"127.0.0.1 refuses the server's push key ({status}) for 1 devices"]


async def test_row_45_a_service_that_is_busy_is_waited_for(scene: PushChat, service: Sink, working: Working) -> None:
    """429 with Retry-After: not a moment earlier, by the worker's clock, and then the same push again."""
    ada, _, room_id = await direct_message(scene, service)
    service.answer = answering(429, 201, **{"Retry-After": "120"})
    working.start()
    _, position = await scene.post(ada, room_id, "Hello")
    await service.until(1)
    path = scene.engine.settings.outbox_path
    await until(scene, lambda found: found.pending == 1)
    [push_id] = push_ids_of(path, position)
    story = push_story(path, push_id)
    assert story is not None and story.next_attempt_at - story.attempts[0].ended_at >= 120_000
    working.clock.late_by_ms += 120_000
    other = await scene.with_notifications(
        "Eve", service, "/eve"
    )  # whatever happens next, the worker looks at its clock
    await scene.post(ada, await scene.room("direct", "", ada, other), "Hello Eve")
    await until(scene, lambda found: found.delivered == 2)
    assert Counter(received.headers["topic"] for received in service.received).most_common(1)[0][1] == 2


async def test_row_45_a_shorter_time_to_live_is_noted_and_nothing_more(
    scene: PushChat, service: Sink, working: Working
) -> None:
    """201 with a shorter TTL: it was taken, so it is not sent again; for how long it is kept can be asked."""
    ada, _, room_id = await direct_message(scene, service)
    service.answer = answering(201, TTL="60")
    working.start()
    _, position = await scene.post(ada, room_id, "Hello")
    await until_followed(scene)
    path = scene.engine.settings.outbox_path
    [push_id] = push_ids_of(path, position)
    story = push_story(path, push_id)
    assert story is not None and story.state == "delivered"
    assert [attempt.detail for attempt in story.attempts] == ["answered 201, kept for 60 s only"]
    assert int(service.received[0].headers["ttl"]) > 60 and len(service.received) == 1


async def test_row_45_after_an_outage_only_what_is_unread_is_pushed_once_a_room(
    scene: PushChat, service: Sink, working: Working
) -> None:
    """Thousands of messages piled up: of rooms that were read meanwhile nothing is sent, of the others the last.

    `PUSHES=10000` for as many as the row asks for.
    """
    ada = await scene.join("Ada")
    people = [await scene.with_notifications(name, service, f"/{name}") for name in ("Bob", "Eve")]
    rooms = [await scene.room("closed", f"Room {number}", ada, *people) for number in range(ROOMS)]
    last = await _talk(scene, ada, people, rooms)
    engine, (bob, eve) = scene.engine, people
    for room_id in rooms[: ROOMS // 2]:
        moved = happened.ReadPositionMoved(at=1, room_id=room_id, user_id=bob.user_id, position=engine.position)
        await engine.append([happened.NewEvent(ids.read_position_stream(room_id, bob.user_id), None, moved)])
    working.clock.stand_still()  # so that it does not matter how long the server is asked about all of them
    working.start()
    path = engine.settings.outbox_path
    async with asyncio.timeout(250):
        while rows_of(path, "SELECT 1 FROM cursor WHERE position >= ?", (engine.position,)) == []:
            await asyncio.sleep(0.02)
        while not at_rest(push_status(path)):
            await asyncio.sleep(0.02)
    counts = Counter(received.path for received in service.received)
    assert counts == {"/Bob": ROOMS - ROOMS // 2, "/Eve": ROOMS}
    for person in (bob, eve):
        own = [received for received in service.received if received.path == f"/{person.browser.endpoint[-3:]}"]
        said = {person.browser.read(received)["notification"]["body"] for received in own}
        assert said <= {f"Ada: {body}" for body in last}


async def _talk(scene: PushChat, ada: Person, people: list[Person], rooms: list[str]) -> list[str]:
    """Everybody hears everything; Ada says it while no worker runs. Return what she said last in each room."""
    engine = scene.engine
    for room_id in rooms:
        for person in people:
            wanted = happened.InvolvementSet(at=1, room_id=room_id, user_id=person.user_id, involvement="everything")
            stream = ids.involvement_stream(room_id, person.user_id)
            await engine.append([happened.NewEvent(stream, None, wanted)])
    for first in range(0, BACKLOG, _AT_ONCE):
        await engine.append(
            [_said(engine, ada, rooms[number % ROOMS], number) for number in range(first, first + _AT_ONCE)]
        )
    return [f"number {number}" for number in range(BACKLOG - ROOMS, BACKLOG)]


def _said(engine: Engine, ada: Person, room_id: str, number: int) -> happened.NewEvent:
    message_id = engine.new_id()
    posted = happened.MessagePosted(
        at=engine.clock.now_ms(),
        message_id=message_id,
        room_id=room_id,
        author_id=ada.user_id,
        author_name="Ada",
        body=f"number {number}",
        client_message_id=f"backlog {number}",
    )
    return happened.NewEvent(message_id, 1, posted)
