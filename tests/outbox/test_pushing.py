"""Pushes as devices see them: a real server, a real worker, a push service on loopback that decrypts."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner
from outbox_support.chat import Chat
from outbox_support.push import Person, PushChat, unpadded, vapid_claims
from outbox_support.sink import Sink
from outbox_support.worker_process import WorkerProcess

from campfire.api.health import _outbox
from campfire.clock import SystemClock
from campfire.config import Settings
from campfire.domain import events as happened
from campfire.domain import ids
from campfire.domain.messages import MessageState, decide_delete
from campfire.engine import Engine
from outbox.cli import main
from outbox.push.queries import PushStatus, push_status
from outbox.queries import outbox_status
from outbox.worker import Worker

IMPATIENT: dict[str, Any] = {
    "webhook_allow": (ip_network("127.0.0.0/8"),),
    "webhook_retry_schedule": (0.05,) * 6,
    "webhook_breaker_seconds": 0.1,
    "webhook_timeout": 5.0,
}


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


class Working:
    """A worker in this process, from `start` to `stop`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._worker: Worker | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._worker = Worker(self._settings, SystemClock())
        self._task = asyncio.create_task(self._worker.run())

    async def stop(self) -> None:
        if self._worker is not None and self._task is not None:
            self._worker.stop()
            await self._task
            self._worker = self._task = None


@pytest.fixture
async def working(scene: PushChat) -> AsyncIterator[Working]:
    """Started by the test."""
    working = Working(scene.engine.settings)
    yield working
    await working.stop()


@pytest.fixture
async def service() -> AsyncIterator[Sink]:
    """A push service that takes everything (RFC 8030, section 5)."""

    async def accept(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=201)

    sink = Sink(accept)
    await sink.start()
    yield sink
    await sink.stop()


def answering(*statuses: int, **headers: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """One status after another, the last one for ever."""
    left = list(statuses)

    async def answer(_request: web.Request) -> web.StreamResponse:
        status = left.pop(0) if len(left) > 1 else left[0]
        return web.Response(status=status, headers=headers)

    return answer


def at_device(path: str, sink: Sink) -> list[Any]:
    return [received for received in sink.received if received.path == path]


async def until(scene: PushChat, holds: Callable[[PushStatus], bool]) -> PushStatus:
    """Wait until that holds of the pushes."""
    async with asyncio.timeout(60):
        while not holds(status := push_status(scene.engine.settings.outbox_path)):
            await asyncio.sleep(0.02)
    return status


def at_rest(status: PushStatus) -> bool:
    return status.waiting + status.pending + status.sending == 0


async def until_followed(scene: PushChat) -> PushStatus:
    """Wait until everything said so far has been pushed or dropped."""
    position = scene.engine.position

    def holds(status: PushStatus) -> bool:
        found = outbox_status(scene.engine.settings.outbox_path, 0)
        return found is not None and found.position >= position and at_rest(status)

    return await until(scene, holds)


async def test_a_device_is_told_in_words_that_only_it_can_read(
    scene: PushChat, service: Sink, working: Working
) -> None:
    """Room, author, text, path and badge; padded, encrypted for the device, signed by the server's key."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    room_id = await scene.room("closed", "Boiler", ada, bob)
    working.start()
    posted, _ = await scene.post(ada, room_id, "**Hello** @Bob, see [this](https://example.com/) `now`")
    await service.until(1)
    [received] = service.received
    told = bob.browser.read(received)
    assert told["web_push"] == 8030
    shown = told["notification"]
    assert (shown["title"], shown["body"]) == ("Boiler", "Ada: Hello @Bob, see this now")
    assert shown["navigate"] == f"/rooms/{room_id}/@{posted.message_id}" and shown["tag"] == f"room-{room_id}"
    assert shown["data"] == {
        "path": shown["navigate"],
        "badge": 1,
        "room_id": room_id,
        "message_id": posted.message_id,
    }
    assert b"Hello" not in received.body and len(received.body) in (615, 1_127, 2_151)
    assert received.headers["urgency"] == "high" and len(received.headers["topic"]) == 32
    assert 86_300 < int(received.headers["ttl"]) <= 86_400
    key = (await scene.call(bob, "GET", "/api/v1/push/key"))["key"]
    claims = vapid_claims(received, key)
    assert len(unpadded(key)) == 65 and claims["aud"] == f"http://127.0.0.1:{service.port}"
    assert claims["sub"] == "mailto:push@example.com"
    status = await until(scene, lambda status: status.delivered == 1)
    assert status.dropped == {} and status.alarms == []


async def test_a_direct_message_bears_its_authors_name(scene: PushChat, service: Sink, working: Working) -> None:
    """And the badge counts rooms, not messages."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    direct = await scene.room("direct", "", ada, bob)
    room_id = await scene.room("closed", "Boiler", ada, bob)
    for number in range(3):
        await scene.post(ada, room_id, f"number {number}")
    working.start()
    await scene.post(ada, direct, "psst")
    await service.until(1)
    shown = bob.browser.read(service.received[0])["notification"]
    assert (shown["title"], shown["body"], shown["data"]["badge"]) == ("Ada", "psst", 2)


async def test_who_is_told_and_who_is_not(scene: PushChat, service: Sink, working: Working) -> None:
    """Everybody's own devices, by what they want to hear of and where they are; never the author's."""
    people: dict[str, Person] = {}
    for name in ("author", "everything", "mentioned", "mentions", "nothing", "present", "stranger"):
        people[name] = await scene.with_notifications(name, service, f"/{name}")
    inside = [person for name, person in people.items() if name != "stranger"]
    room_id = await scene.room("closed", "Boiler", *inside)
    engine = scene.engine
    for name in ("everything", "nothing", "present"):
        user_id = people[name].user_id
        wanted: happened.Involvement = "nothing" if name == "nothing" else "everything"
        event = happened.InvolvementSet(at=1, room_id=room_id, user_id=user_id, involvement=wanted)
        await engine.append([happened.NewEvent(ids.involvement_stream(room_id, user_id), None, event)])
    entered = happened.PresenceEntered(at=1, room_id=room_id, user_id=people["present"].user_id)
    await engine.append([happened.NewEvent(ids.presence_stream(room_id, people["present"].user_id), None, entered)])
    working.start()
    await scene.post(people["author"], room_id, "Hello @mentioned")
    await until_followed(scene)
    assert sorted(received.path for received in service.received) == ["/everything", "/mentioned"]


async def test_what_was_read_or_deleted_meanwhile_is_not_sent(scene: PushChat, service: Sink, working: Working) -> None:
    """Between the message and its turn: asked at the time of sending, on record with the reason."""
    ada = await scene.join("Ada")
    bob, eve = [await scene.with_notifications(name, service, f"/{name}") for name in ("Bob", "Eve")]
    rooms = [await scene.room("direct", "", ada, person) for person in (bob, eve)]
    service.answer = answering(503)
    working.start()
    _, position = await scene.post(ada, rooms[0], "read meanwhile")
    posted, _ = await scene.post(ada, rooms[1], "deleted meanwhile")
    await service.until(2)
    await scene.close_control()  # the next attempt has to ask, and waits for an answer
    engine = scene.engine
    moved = happened.ReadPositionMoved(at=1, room_id=rooms[0], user_id=bob.user_id, position=position)
    await engine.append([happened.NewEvent(ids.read_position_stream(rooms[0], bob.user_id), None, moved)])
    message = MessageState(posted.message_id, rooms[1], ada.user_id, 1, posted.body, deleted=False)
    await engine.perform(lambda: decide_delete(engine.directory, message, actor_id=ada.user_id, at=1))
    count = len(service.received)
    await scene.open_control()
    status = await until(scene, at_rest)
    assert status.dropped == {"read": 1, "deleted": 1} and status.delivered == 0
    assert len(service.received) <= count + 2  # what was on its way when nobody could be asked


async def test_messages_wait_while_the_server_is_down(scene: PushChat, service: Sink, working: Working) -> None:
    """And a room that said much meanwhile is told of once, with its last words."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    direct = await scene.room("direct", "", ada, bob)
    await scene.close_control()
    working.start()
    for number in range(5):
        await scene.post(ada, direct, f"number {number}")
    await until(scene, lambda status: status.waiting == 5)
    assert service.received == []
    await scene.open_control()
    status = await until(scene, at_rest)
    bodies = [bob.browser.read(received)["notification"]["body"] for received in service.received]
    assert bodies[-1] == "number 4" and len(bodies) == status.delivered
    assert status.delivered + status.dropped.get("replaced", 0) == 5


async def test_what_is_no_news_any_more_is_dropped_on_the_record(scene: PushChat, service: Sink) -> None:
    """A push that waited longer than its time to live is not sent."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    direct = await scene.room("direct", "", ada, bob)
    await scene.close_control()
    settings = Settings(data=scene.engine.settings.data, push_ttl=1.5, **IMPATIENT)
    working = Working(settings)
    working.start()
    try:
        await scene.post(ada, direct, "too late")
        status = await until(scene, lambda status: status.dropped == {"expired": 1})
    finally:
        await working.stop()
    assert status.delivered == 0 and service.received == []


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
    assert second - first >= 2 and len(times["/eve"]) == 1


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
    people = [await scene.with_notifications(f"Person{number}", service, f"/{number}") for number in range(12)]
    room_id = await scene.room("direct", "", ada, *people)
    service.answer = answering(403)
    working.start()
    await scene.post(ada, room_id, "Hello")
    await until(scene, lambda status: status.dropped == {"refused": 12})
    assert len(service.received) < 12


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


async def test_signing_out_ends_the_notifications(scene: PushChat, service: Sink, working: Working) -> None:
    """Of that device; another one of the same person is told."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service, "/laptop")
    phone = await scene.sign_in(bob)
    await scene.subscribe(phone, service, "/phone")
    direct = await scene.room("direct", "", ada, bob)
    working.start()
    await scene.call(bob, "DELETE", "/api/v1/sessions/current")
    await scene.post(ada, direct, "Hello")
    await until_followed(scene)
    assert [received.path for received in service.received] == ["/phone"]


async def test_a_test_goes_to_the_device_that_was_asked_for(scene: PushChat, service: Sink, working: Working) -> None:
    """Whoever is present where, at once, and to no other device."""
    bob = await scene.with_notifications("Bob", service, "/laptop")
    phone = await scene.sign_in(bob)
    await scene.subscribe(phone, service, "/phone")
    working.start()
    await scene.call(bob, "POST", f"/api/v1/me/push-subscriptions/{phone.subscription_id}/test")
    await service.until(1)
    await until_followed(scene)
    [received] = service.received
    assert received.path == "/phone"
    assert phone.browser.read(received)["notification"]["body"] == "Notifications work on this device."


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
    on_their_way = {received.path for received in service.received}
    worker.start()
    status = await until(scene, lambda status: status.delivered == 12)
    assert status.dropped == {}
    counts = Counter(received.path for received in service.received)
    assert set(counts) == {f"/{number}" for number in range(12)}
    assert all(count == 1 for path, count in counts.items() if path not in on_their_way)
    assert all(count <= 2 for count in counts.values())
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


async def test_status_says_what_became_of_notifications(scene: PushChat, service: Sink, working: Working) -> None:
    """Delivered and dropped, by reason, and the alarm; for people and for programs."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    direct = await scene.room("direct", "", ada, bob)
    service.answer = answering(201, 403)
    working.start()
    for number in range(2):
        await scene.post(ada, direct, f"number {number}")
        await until_followed(scene)
    await working.stop()
    data = ["--data", str(scene.engine.settings.data)]
    said = CliRunner().invoke(main, ["status", *data]).output
    assert "Notifications: 0 waiting, 0 being sent, 1 delivered, 1 dropped (1 refused)." in said
    assert "Alarm: 127.0.0.1 refuses the server's push key (403) for 1 devices." in said
    push = json.loads(CliRunner().invoke(main, ["status", "--json", *data]).output)["push"]
    assert (push["delivered"], push["dropped"]) == (1, {"refused": 1})


async def test_nobody_is_told_of_imported_history(scene: PushChat, service: Sink, working: Working) -> None:
    """What happened years ago elsewhere rings nowhere."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    direct = await scene.room("direct", "", ada, bob)
    working.start()
    old = happened.MessagePosted(
        at=1,
        message_id=scene.engine.new_id(),
        room_id=direct,
        author_id=ada.user_id,
        author_name="Ada",
        body="years ago",
        client_message_id="x",
        origin="import",
    )
    await scene.engine.append([happened.NewEvent(old.message_id, 1, old)])
    await scene.post(ada, direct, "now")
    await until_followed(scene)
    assert [bob.browser.read(received)["notification"]["body"] for received in service.received] == ["now"]


async def test_nothing_of_a_text_or_an_address_waits_in_the_outbox(
    scene: PushChat, service: Sink, working: Working
) -> None:
    """Neither while a push is tried again, nor afterwards; and the log holds the device's keys only sealed."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service, "/very-secret-path")
    direct = await scene.room("direct", "", ada, bob)
    service.answer = answering(500)
    working.start()
    await scene.post(ada, direct, "words of mine")
    await service.until(2)
    await until(scene, lambda status: status.dropped == {"failed": 1})
    await working.stop()
    for path in scene.engine.settings.data.glob("outbox.db*"):
        held = path.read_bytes()
        assert b"words of mine" not in held and b"very-secret-path" not in held
    for path in scene.engine.settings.data.glob("events.db*"):
        held = path.read_bytes()
        assert b"very-secret-path" not in held and bob.browser.subscription["keys"]["auth"].encode() not in held
