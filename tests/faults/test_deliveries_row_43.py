"""Row 43 of the fault table: a message is deleted, or an endpoint loses its access, before a retry."""

import json
from pathlib import Path

from aiohttp import web
from outbox_support.clocked import ClockedChat, a_clocked_chat
from outbox_support.sink import Sink, ok

from campfire.domain.messages import MessageState, decide_delete
from campfire.domain.webhooks import decide_delete_webhook
from campfire.housekeeping.scrubber import Scrubber

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
