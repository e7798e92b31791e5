"""Row 43 of the fault table: a message is deleted, or an endpoint loses its access, before a retry."""

import json
from pathlib import Path

from aiohttp import web
from outbox_support.clocked import ClockedChat, a_clocked_chat
from outbox_support.push import Person, PushChat
from outbox_support.sink import Sink, ok

from campfire.domain.events import DeliveryReplayRequested, NewEvent
from campfire.domain.ids import replay_stream
from campfire.domain.messages import MessageState, decide_delete
from campfire.domain.rooms import decide_delete_room
from campfire.domain.webhooks import decide_delete_webhook
from campfire.housekeeping.scrubber import Scrubber
from outbox.queries import rows_of
from outbox.withdrawing import ROOM_DELETED, UNWANTED

SECRET_TEXT = "Quetzalcoatl"


async def refuse(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=503)


async def delete(scene: ClockedChat, message_id: str) -> None:
    engine, by = scene.engine, scene.chat.user_id
    message = MessageState(message_id, scene.chat.room_id, by, 1, SECRET_TEXT, deleted=False)
    await engine.perform(lambda: decide_delete(engine.directory, message, actor_id=by, at=1))


async def test_row_43_the_text_of_a_deleted_message_does_not_leave_late(tmp_path: Path) -> None:
    """What is still sent about it bears the same id and no text, also once the text is gone from the log."""
    sink = Sink(refuse)
    await sink.start()
    async with a_clocked_chat(
        tmp_path / "data", webhook_retry_schedule=(0.1,) * 5_000, webhook_breaker_seconds=0.1
    ) as scene:
        await scene.chat.add_webhook(sink.url, "message.posted", "message.deleted")
        scene.working.start()
        message_id = await scene.post(SECRET_TEXT)
        await sink.until(2)
        await delete(scene, message_id)
        await scene.until_followed()
        seen = len(sink.received)
        await Scrubber(scene.engine).sweep(at_once=True)
        sink.answer = ok
        await scene.post("afterwards")
        await scene.until(lambda: any(b"afterwards" in each.body for each in sink.received))
    before, later = sink.received[:seen], sink.received[seen:]
    assert any(SECRET_TEXT.encode() in each.body for each in before), "or there would be nothing to withhold"
    assert not any(SECRET_TEXT.encode() in each.body for each in later)
    [webhook_id] = {each.webhook_id for each in before if SECRET_TEXT.encode() in each.body}
    posted = [each for each in later if json.loads(each.body)["type"] == "message.posted"]
    assert {each.webhook_id for each in posted if message_id in each.body.decode()} <= {webhook_id}
    await sink.stop()


async def test_row_43_an_endpoint_that_was_deleted_is_sent_nothing_late(tmp_path: Path) -> None:
    """Nor is it once it works again; another endpoint still gets its own."""
    sink, other = Sink(refuse), Sink(refuse)
    await sink.start()
    await other.start()
    async with a_clocked_chat(
        tmp_path / "data", webhook_retry_schedule=(0.1,) * 5_000, webhook_breaker_seconds=0.1
    ) as scene:
        engine, webhook_id = scene.engine, await scene.chat.add_webhook(sink.url)
        await scene.chat.add_webhook(other.url)
        scene.working.start()
        await scene.post(SECRET_TEXT)
        await sink.until(2)
        await engine.perform(
            lambda: decide_delete_webhook(engine.directory, webhook_id=webhook_id, actor_id=scene.chat.user_id, at=1)
        )
        await scene.until_followed()
        seen = len(sink.received)
        sink.answer = other.answer = ok
        await scene.post("afterwards")
        await scene.until(lambda: any(b"afterwards" in each.body for each in other.received))
        assert scene.count("pending", webhook_id) == scene.count("sending", webhook_id) == 0
    assert len(sink.received) == seen
    assert any(SECRET_TEXT.encode() in each.body for each in other.received)
    await sink.stop()
    await other.stop()


async def refuse_for_good(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=503, headers={"webhook-delivery": "abort-message"})


async def test_row_43_a_room_that_was_taken_away_from_a_webhook_is_told_of_no_more(tmp_path: Path) -> None:
    """What waits and what died of it is cancelled on the record; no retry, replay, cursor or pull brings it out."""
    sink = Sink(refuse_for_good)
    await sink.start()
    async with a_clocked_chat(tmp_path / "data", webhook_retry_schedule=(0.1,) * 5_000) as scene:
        api = PushChat(scene.chat)
        await api.serve()
        ann = await api.sign_in(Person(scene.chat.user_id, "", ""))
        other = await scene.chat.add_room("Other")
        made = await api.call(ann, "POST", "/api/v1/webhooks", {"url": sink.url, "events": ["message.posted"]})
        webhook, receiver = made["id"], Person("", "", made["pull_key"])
        scene.working.start()
        await scene.post(f"{SECRET_TEXT} that died")
        await scene.until(lambda: scene.count("dead") == 1)
        sink.answer = refuse
        await scene.post(f"{SECRET_TEXT} that waits")
        await sink.until(3)
        await api.call(ann, "PATCH", f"/api/v1/webhooks/{webhook}", {"rooms": [other]})
        await scene.until_followed()
        rows = rows_of(scene.path, "SELECT id, state, failure FROM deliveries ORDER BY sequence")
        assert [row[1:] for row in rows] == [("cancelled", UNWANTED)] * 2
        seen = len(sink.received)
        sink.answer = ok
        replay = DeliveryReplayRequested(at=1, replay_id="r1", deliveries=tuple(row[0] for row in rows))
        await scene.engine.append([NewEvent(replay_stream("r1"), 1, replay)])
        await api.call(receiver, "POST", f"/api/v1/endpoints/{webhook}/cursor", {"after": 0})
        await scene.post("afterwards", other)
        await scene.until(lambda: any(b"afterwards" in each.body for each in sink.received))
        pulled = (await api.call(receiver, "GET", f"/api/v1/endpoints/{webhook}/events"))["events"]
        await api.stop_serving()
    assert any(SECRET_TEXT.encode() in each.body for each in sink.received[:seen])
    assert [json.loads(each.body)["data"]["body"] for each in sink.received[seen:]] == ["afterwards"]
    assert [each["body"]["data"].get("withdrawn") for each in pulled] == ["cancelled", "cancelled", None]
    assert SECRET_TEXT not in json.dumps(pulled)
    await sink.stop()


async def test_row_43_nothing_of_a_deleted_room_leaves_late(tmp_path: Path) -> None:
    """Not even while its messages are still there, to be deleted in the background."""
    sink = Sink(refuse)
    await sink.start()
    async with a_clocked_chat(
        tmp_path / "data", webhook_retry_schedule=(0.1,) * 5_000, webhook_breaker_seconds=0.1
    ) as scene:
        engine, by, room_id = scene.engine, scene.chat.user_id, await scene.chat.add_room("Secrets")
        await scene.chat.add_webhook(sink.url)
        scene.working.start()
        await scene.post(SECRET_TEXT, room_id)
        await scene.post(f"{SECRET_TEXT} again", room_id)
        await sink.until(2)
        await engine.perform(lambda: decide_delete_room(engine.directory, room_id=room_id, actor_id=by, at=1))
        await scene.until_followed()
        seen = len(sink.received)
        sink.answer = ok
        await scene.post("afterwards")
        await scene.until(lambda: scene.count("delivered") == 1)
        rows = rows_of(scene.path, "SELECT state, failure FROM deliveries ORDER BY sequence")
    assert rows == [*[("cancelled", ROOM_DELETED)] * 2, ("delivered", None)]
    assert not any(SECRET_TEXT.encode() in each.body for each in sink.received[seen:])
    await sink.stop()
