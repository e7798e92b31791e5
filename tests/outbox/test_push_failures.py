"""What push services and crashes do to pushes, and what comes of it."""

import asyncio
import signal
from collections import Counter

import pytest
from aiohttp import web
from outbox_support.push import (
    PushChat,
    Working,
    answering,
    until,
    until_followed,
)
from outbox_support.sink import Sink
from outbox_support.worker_process import WorkerProcess

from campfire.api.health import _outbox
from campfire.domain import events as happened


@pytest.mark.parametrize("gone", [404, 410])
async def test_a_device_that_is_gone_is_forgotten(scene: PushChat, service: Sink, working: Working, gone: int) -> None:
    """On the server too, as an event; nothing is sent there again."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    direct = await scene.room("direct", "", ada, bob)
    service.answer = answering(gone)
    working.start()
    await scene.post(ada, direct, "one")
    status = await until(scene, lambda status: status.dropped == {"gone": 1})
    assert (await scene.call(bob, "GET", "/api/v1/me/push-subscriptions"))["push_subscriptions"] == []
    await scene.post(ada, direct, "two")
    await until_followed(scene)
    assert len(service.received) == 1 and status.alarms == []


async def test_a_payload_that_is_too_large_is_shrunk(scene: PushChat, service: Sink, working: Working) -> None:
    """The text is cut and sent again at once, until the service takes it or nothing smaller is left."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    direct = await scene.room("direct", "", ada, bob)
    service.answer = answering(413, 413, 201)
    working.start()
    await scene.post(ada, direct, "漢" * 1_000)
    await until(scene, lambda status: status.delivered == 1)
    assert [len(received.body) for received in service.received] == [2_151, 1_127, 615]
    assert bob.browser.read(service.received[-1])["notification"]["body"].endswith("漢…")
    service.answer = answering(413)
    await scene.post(ada, direct, "short")
    status = await until(scene, lambda status: "too_large" in status.dropped)
    assert status.dropped == {"too_large": 1}


async def test_a_busy_service_is_given_the_time_it_asks_for(scene: PushChat, service: Sink, working: Working) -> None:
    """429 with Retry-After waits so long, while another device is told at once."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service, "/bob")
    eve = await scene.with_notifications("Eve", service, "/eve")
    room_id = await scene.room("direct", "", ada, bob, eve)
    times: dict[str, list[float]] = {"/bob": [], "/eve": []}

    async def answer(request: web.Request) -> web.StreamResponse:
        times[request.path].append(asyncio.get_running_loop().time())
        if request.path == "/bob" and len(times["/bob"]) == 1:
            return web.Response(status=429, headers={"Retry-After": "2"})
        return web.Response(status=201)

    service.answer = answer
    working.start()
    await scene.post(ada, room_id, "Hello")
    await until(scene, lambda status: status.delivered == 2)
    first, second = times["/bob"]
    assert second - first >= 1.9 and len(times["/eve"]) == 1


@pytest.mark.parametrize("refusal", [401, 403])
async def test_a_refused_key_is_an_alarm_and_no_storm(
    scene: PushChat, service: Sink, working: Working, refusal: int
) -> None:
    """The device is asked no more, is not forgotten, and is told again once it has subscribed anew."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    direct = await scene.room("direct", "", ada, bob)
    service.answer = answering(refusal)
    working.start()
    for number in range(3):
        await scene.post(ada, direct, f"number {number}")
        await until(scene, lambda status, number=number: sum(status.dropped.values()) == number + 1)
    assert len(service.received) == 1
    status = await until_followed(scene)
    assert status.alarms == [f"127.0.0.1 refuses the server's push key ({refusal}) for 1 devices"]
    health = _outbox(scene.engine)
    assert not health.ok and "refuses the server's push key" in health.detail
    assert len((await scene.call(bob, "GET", "/api/v1/me/push-subscriptions"))["push_subscriptions"]) == 1
    service.answer = answering(201)
    await scene.subscribe(bob, service, "/new")
    await scene.post(ada, direct, "back again")
    status = await until(scene, lambda status: status.delivered == 1)
    assert status.alarms == [] and status.refusing == []


async def test_a_service_that_refuses_everybody_is_left_alone(scene: PushChat, service: Sink, working: Working) -> None:
    """After five devices in a row nothing more is sent there for an hour."""
    ada = await scene.join("Ada")
    people = [await scene.with_notifications(f"Person{number}", service, f"/{number}") for number in range(20)]
    room_id = await scene.room("direct", "", ada, *people)
    service.answer = answering(403)
    working.start()
    await scene.post(ada, room_id, "Hello")
    await until(scene, lambda status: status.dropped == {"refused": 20})
    assert len(service.received) <= 5 + 8  # eight are on their way to a service at once


async def test_a_failing_service_is_tried_on_its_schedule_and_given_up(
    scene: PushChat, service: Sink, working: Working
) -> None:
    """Each attempt under the same topic; the last failure is on record, and the next message starts afresh."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    direct = await scene.room("direct", "", ada, bob)
    service.answer = answering(500)
    working.start()
    await scene.post(ada, direct, "Hello")
    status = await until(scene, lambda status: status.dropped == {"failed": 1})
    assert len(service.received) == 7 and status.delivered == 0
    assert len({received.headers["topic"] for received in service.received}) == 1
    service.answer = answering(201)
    await scene.post(ada, direct, "again")
    await until(scene, lambda status: status.delivered == 1)


@pytest.mark.parametrize(("status", "reason"), [(400, "rejected"), (307, "redirect")])
async def test_what_can_never_work_is_tried_once(
    scene: PushChat, service: Sink, working: Working, status: int, reason: str
) -> None:
    """A request that the service cannot read, and a redirect, which nobody follows."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    direct = await scene.room("direct", "", ada, bob)
    service.answer = answering(status, Location=f"http://127.0.0.1:{service.port}/elsewhere")
    working.start()
    await scene.post(ada, direct, "Hello")
    await until(scene, lambda found: found.dropped == {reason: 1})
    assert [received.path for received in service.received] == ["/push"]


async def test_a_killed_worker_loses_nothing_and_repeats_at_most_what_was_on_its_way(
    scene: PushChat, service: Sink, worker: WorkerProcess
) -> None:
    """Killed while pushes are being sent and while others wait: the next one sends each, those in flight again."""
    ada = await scene.join("Ada")
    people = [await scene.with_notifications(f"Person{number}", service, f"/{number}") for number in range(12)]
    rooms = [await scene.room("direct", "", ada, person) for person in people]
    released = asyncio.Event()

    async def hold(_request: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response(status=201)

    service.answer = hold
    worker.start()
    for room_id in rooms:
        await scene.post(ada, room_id, "Hello")
    await service.until(3)
    worker.signal(signal.SIGKILL)
    released.set()
    worker.start()
    status = await until(scene, lambda status: status.delivered == 12)
    assert status.dropped == {}
    counts = Counter(received.path for received in service.received)
    assert set(counts) == {f"/{number}" for number in range(12)}
    assert all(count <= 2 for count in counts.values()) and len(service.received) <= 12 + 8  # eight at once
    topics = {(received.path, received.headers["topic"]) for received in service.received}
    assert len(topics) == 12


async def test_a_message_outlives_a_worker_that_was_killed_before_asking(
    scene: PushChat, service: Sink, worker: WorkerProcess
) -> None:
    """That there is something to tell is durable; whom is asked later."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    direct = await scene.room("direct", "", ada, bob)
    await scene.close_control()
    worker.start()
    await scene.post(ada, direct, "Hello")
    await until(scene, lambda status: status.waiting == 1)
    worker.signal(signal.SIGKILL)
    await scene.open_control()
    worker.start()
    await until(scene, lambda status: status.delivered == 1)
    [received] = service.received
    assert bob.browser.read(received)["notification"]["body"] == "Hello"


async def test_a_key_that_cannot_be_opened_stops_nothing_else(scene: PushChat, service: Sink, working: Working) -> None:
    """A device that came from another server without its secrets is passed over, on record."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service, "/bob")
    eve = await scene.with_notifications("Eve", service, "/eve")
    room_id = await scene.room("direct", "", ada, bob, eve)
    known = scene.engine.directory.push.by_id[bob.subscription_id]
    withheld = happened.PushSubscribed(
        at=1,
        subscription_id=known.id,
        user_id=known.user_id,
        session_id=known.session_id,
        service=known.service,
        endpoint_hash="withheld:x",
        sealed="withheld:x",
    )
    await scene.engine.append([happened.NewEvent(known.id, None, withheld)])
    working.start()
    await scene.post(ada, room_id, "Hello")
    status = await until(scene, lambda status: status.delivered == 1 and "unreadable" in status.dropped)
    assert status.dropped == {"unreadable": 1}
    assert [received.path for received in service.received] == ["/eve"]
    await scene.subscribe(bob, service, "/bob")  # what could not be opened is replaced, not compared
    await scene.post(ada, room_id, "Hello again")
    await until(scene, lambda status: status.delivered == 3)
