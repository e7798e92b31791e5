"""Pushes as devices see them: a real server, a real worker, a push service on loopback that decrypts."""

import asyncio
import json
import re
from pathlib import Path
from typing import get_args

from aiohttp import web
from click.testing import CliRunner
from outbox_support.push import (
    Person,
    PushChat,
    Working,
    answering,
    at_rest,
    unpadded,
    until,
    until_followed,
    vapid_claims,
)
from outbox_support.sink import Sink

from campfire.domain import events as happened
from campfire.domain import ids
from campfire.domain.messages import MessageState, decide_delete
from campfire.domain.push import Silence
from outbox.cli import main
from outbox.push.queries import REASONS, push_ids_of, push_story

ROOT = Path(__file__).resolve().parents[2]


async def test_a_device_is_told_in_words_that_only_it_can_read(
    scene: PushChat, service: Sink, working: Working
) -> None:
    """Room, author, text, path and badge; padded, encrypted for the device, signed by the server's key."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    room_id = await scene.room("closed", "Boiler", ada, bob)
    working.start()
    posted, position = await scene.post(ada, room_id, "**Hello** @Bob, see [this](https://example.com/) `now`")
    await service.until(1)
    [received] = service.received
    told = bob.browser.read(received)
    assert told["web_push"] == 8030
    shown = told["notification"]
    assert (shown["title"], shown["body"]) == ("Boiler", "Ada: Hello @Bob, see this now")
    number = scene.engine.directory.rooms[room_id].position
    assert shown["navigate"] == f"/rooms/{number}/@{position}" and shown["tag"] == f"room-{room_id}"
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
    """And the badge counts rooms, not messages, without one that is open somewhere."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    direct = await scene.room("direct", "", ada, bob)
    room_id = await scene.room("closed", "Boiler", ada, bob)
    open_here = await scene.room("closed", "Open here", ada, bob)
    await scene.open_room(bob, open_here)
    for number in range(3):
        await scene.post(ada, room_id, f"number {number}")
        await scene.post(ada, open_here, f"number {number}")
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
    await scene.open_room(people["present"], room_id)
    working.start()
    await scene.post(people["author"], room_id, "Hello @mentioned")
    await until_followed(scene)
    assert sorted(received.path for received in service.received) == ["/everything", "/mentioned"]


async def test_what_was_read_or_deleted_meanwhile_is_not_sent(scene: PushChat, service: Sink, working: Working) -> None:
    """Between the message and its turn: asked at the time of sending, on record with the reason."""
    ada = await scene.join("Ada")
    bob, eve = [await scene.with_notifications(name, service, f"/{name}") for name in ("Bob", "Eve")]
    rooms = [await scene.room("direct", "", ada, person) for person in (bob, eve)]
    released = asyncio.Event()

    async def fail_when_released(_request: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response(status=503)

    service.answer = fail_when_released
    working.start()
    _, position = await scene.post(ada, rooms[0], "read meanwhile")
    posted, _ = await scene.post(ada, rooms[1], "deleted meanwhile")
    await service.until(2)
    engine = scene.engine
    moved = happened.ReadPositionMoved(at=1, room_id=rooms[0], user_id=bob.user_id, position=position)
    await engine.append([happened.NewEvent(ids.read_position_stream(rooms[0], bob.user_id), None, moved)])
    message = MessageState(posted.message_id, rooms[1], ada.user_id, 1, posted.body, deleted=False)
    await engine.perform(lambda: decide_delete(engine.directory, message, actor_id=ada.user_id, at=1))
    released.set()
    status = await until(scene, at_rest)
    assert status.dropped == {"read": 1, "deleted": 1} and status.delivered == 0
    assert len(service.received) == 2


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


async def test_what_is_no_news_any_more_is_dropped_on_the_record(
    scene: PushChat, service: Sink, working: Working
) -> None:
    """A push that waited longer than its time to live is not sent."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    direct = await scene.room("direct", "", ada, bob)
    await scene.close_control()
    working.start()
    await scene.post(ada, direct, "too late")
    await until(scene, lambda status: status.waiting == 1)
    working.clock.late_by_ms = 86_400_000
    status = await until(scene, lambda status: status.dropped == {"expired": 1})
    await scene.open_control()
    await until_followed(scene)
    assert status.delivered == 0 and service.received == []


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


async def test_only_what_was_said_to_somebody_is_urgent(scene: PushChat, service: Sink, working: Working) -> None:
    """A mention and a direct message may wake a device; what else is said in a room waits until it is awake."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    direct = await scene.room("direct", "", ada, bob)
    room_id = await scene.room("closed", "Boiler", ada, bob)
    everything = happened.InvolvementSet(at=1, room_id=room_id, user_id=bob.user_id, involvement="everything")
    await scene.engine.append([happened.NewEvent(ids.involvement_stream(room_id, bob.user_id), None, everything)])
    working.start()
    said = [(direct, "psst"), (room_id, "to whom it may concern"), (room_id, "@Bob, look")]
    for count, (where, text) in enumerate(said, 1):
        await scene.post(ada, where, text)
        await service.until(count)
    assert [received.headers["urgency"] for received in service.received] == ["high", "normal", "high"]


async def test_the_story_of_a_push_can_be_told(scene: PushChat, service: Sink, working: Working) -> None:
    """Each attempt with what the service said, how long it keeps it, and why nothing more is sent; no address."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service, "/very-secret-path")
    direct = await scene.room("direct", "", ada, bob)
    statuses = [503, 201]

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=statuses.pop(0), headers={"TTL": "60"})

    service.answer = answer
    working.start()
    posted, position = await scene.post(ada, direct, "psst")
    await until(scene, lambda status: status.delivered == 1)
    path = scene.engine.settings.outbox_path
    [push_id] = push_ids_of(path, position)
    story = push_story(path, push_id)
    assert story is not None and push_id == f"push_{position}_{bob.subscription_id}"
    assert (story.message_id, story.room_id, story.service) == (posted.message_id, direct, "127.0.0.1")
    assert (story.state, story.reason) == ("delivered", None)
    assert [(each.number, each.status, each.detail) for each in story.attempts] == [
        (1, 503, "answered 503"),
        (2, 201, "answered 201, kept for 60 s only"),
    ]
    assert story.happened_at is not None and story.finished_at is not None
    assert story.happened_at <= story.waiting_since <= story.attempts[0].started_at <= story.finished_at
    assert "very-secret-path" not in repr(story)
    assert push_ids_of(path, position + 1) == [] and push_story(path, "push_1_nobody") is None
    explained = CliRunner().invoke(main, ["explain", push_id, "--data", str(scene.engine.settings.data)]).output
    told = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC|\d+(\.\d+)? m?s(?= and)", "…", explained).splitlines()
    assert told == [
        f"{push_id} tells a device, by 127.0.0.1, of the message {posted.message_id} at position {position}.",
        "It was planned …, and is worth nothing after ….",
        "…: attempt 1 took … and failed: status (answered 503).",
        "…: attempt 2 took … and succeeded.",
        "The push service took it ….",
    ]


async def test_a_push_that_was_dropped_is_explained_in_words(scene: PushChat, service: Sink, working: Working) -> None:
    """Not by the name of the reason that programs are given."""
    ada, bob = await scene.join("Ada"), await scene.with_notifications("Bob", service)
    direct = await scene.room("direct", "", ada, bob)
    service.answer = answering(410)
    working.start()
    _, position = await scene.post(ada, direct, "psst")
    await until(scene, lambda status: status.dropped == {"gone": 1})
    [push_id] = push_ids_of(scene.engine.settings.outbox_path, position)
    explained = CliRunner().invoke(main, ["explain", push_id, "--data", str(scene.engine.settings.data)]).output
    assert REASONS["gone"] in explained.splitlines()[-1]


def test_every_reason_not_to_push_has_words() -> None:
    """Whatever the server or the worker drops a push for can be explained to a person."""
    assert set(get_args(Silence)) <= set(REASONS)
    dropping = "".join((ROOT / "outbox" / "push" / f"{name}.py").read_text() for name in ("telling", "deliveries"))
    named = set(re.findall(r'(?:_drop\(claimed|finish\(connection, claimed), "(\w+)"', dropping))
    named |= set(re.findall(r"reason = '(\w+)'", dropping))
    assert named and named <= set(REASONS)


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
