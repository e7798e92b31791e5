"""The worker as its receivers see it: a real process, real sinks, a real log."""

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path

from aiohttp import web
from outbox_support.chat import SECRET, Chat
from outbox_support.sink import Sink, ok
from outbox_support.worker_process import WorkerProcess
from standardwebhooks import Webhook

from campfire.domain.events import DeliveryReplayRequested, NewEvent
from campfire.domain.ids import replay_stream
from campfire.domain.messages import MessageState, decide_delete
from campfire.domain.webhooks import decide_delete_webhook, decide_rotate_secret, decide_test_webhook
from campfire.housekeeping.scrubber import Scrubber
from outbox.letters import dead_letters
from outbox.status import OutboxStatus, outbox_status


async def until(chat: Chat, wanted: str, count: int) -> OutboxStatus:
    """Wait until the outbox has so many deliveries in a state."""
    async with asyncio.timeout(60):
        while True:
            status = outbox_status(chat.engine.settings.outbox_path, chat.engine.clock.now_ms())
            if status is not None and getattr(status, wanted) >= count:
                return status
            await asyncio.sleep(0.02)


async def echo(request: web.Request) -> web.StreamResponse:
    return web.Response(body=await request.read())


async def refuse(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=500, text="not today")


async def test_a_message_is_delivered_signed_and_in_the_feeds_words(
    chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """Type, timestamp and data; accepted by an independent verifier."""
    await chat.add_webhook(sink.url)
    worker.start()
    posted = await chat.post("Hello")
    await sink.until(1)
    [received] = sink.received
    payload = Webhook(SECRET).verify(received.body, received.headers)
    assert payload["type"] == "message.posted"
    assert payload["data"]["id"] == posted.message_id and payload["data"]["body"] == "Hello"
    assert payload["data"]["author"] == {"id": chat.user_id, "name": "Ann"}


async def test_only_what_was_subscribed_to_is_delivered(chat: Chat, sink: Sink, worker: WorkerProcess) -> None:
    """By event type and by room, and only what happened after the webhook was made."""
    await chat.post("before")
    other = Sink()
    await other.start()
    await chat.add_webhook(sink.url, "message.posted", rooms=[chat.room_id])
    await chat.add_webhook(other.url, "message.deleted")
    worker.start()
    await chat.post("after")
    await sink.until(1)
    assert [json.loads(received.body)["data"]["body"] for received in sink.received] == ["after"]
    assert other.received == []
    await other.stop()


async def test_a_test_delivery_goes_to_its_endpoint_only(chat: Chat, sink: Sink, worker: WorkerProcess) -> None:
    """Whatever it is subscribed to."""
    webhook_id = await chat.add_webhook(sink.url, "room.archived")
    worker.start()
    engine = chat.engine
    await engine.perform(
        lambda: decide_test_webhook(engine.directory, webhook_id=webhook_id, actor_id=chat.user_id, at=1)
    )
    await sink.until(1)
    assert json.loads(sink.received[0].body)["type"] == "webhook.tested"


async def test_an_endpoint_that_was_down_receives_everything_afterwards(
    chat: Chat, worker: WorkerProcess, tmp_path: Path
) -> None:
    """Nothing is lost while nobody listens, neither by the endpoint nor by the worker."""
    patient = WorkerProcess(
        tmp_path / "data",
        CAMPFIRE_WEBHOOK_RETRY_SCHEDULE=",".join(["0.2"] * 200),
        CAMPFIRE_WEBHOOK_BREAKER_SECONDS="0.1",
    )
    sink = Sink()
    await sink.start()
    port = sink.port
    await chat.add_webhook(sink.url)
    await sink.stop()
    patient.start()
    try:
        for number in range(10):
            await chat.post(f"message {number}")
        await until(chat, "pending", 1)
        patient.signal(signal.SIGTERM)
        await chat.post("while the worker was down too")
        patient.start()
        await sink.start(port)
        await until(chat, "delivered", 11)
    finally:
        patient.end()
        await sink.stop()
    bodies = {json.loads(received.body)["data"]["body"] for received in sink.received}
    assert len(bodies) == 11


async def test_a_delivery_that_always_fails_ends_among_the_dead_and_can_be_replayed_once(
    chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """The same webhook-id on every attempt; the same request for a replay twice sends nothing twice."""
    sink.answer = refuse
    await chat.add_webhook(sink.url)
    worker.start()
    await chat.post("Hello")
    await until(chat, "dead", 1)
    [letter] = dead_letters(chat.engine.settings.outbox_path)
    assert (letter.attempts, letter.failure_class, letter.failure) == (4, "status", "answered 500")
    assert Counter(received.webhook_id for received in sink.received) == {letter.id: 4}

    async def thank(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="at last")

    sink.answer = thank
    replay = DeliveryReplayRequested(at=1, replay_id="r1", deliveries=(letter.id,))
    await chat.engine.append([NewEvent(replay_stream("r1"), 1, replay)])
    await until(chat, "delivered", 1)
    await chat.engine.append([NewEvent(replay_stream("r1"), 2, replay)])
    await chat.post("the next one")
    await until(chat, "delivered", 2)
    assert Counter(received.webhook_id for received in sink.received)[letter.id] == 5


async def test_a_receiver_that_never_answers_ends_among_the_dead(chat: Chat, sink: Sink, tmp_path: Path) -> None:
    """And does not delay another endpoint meanwhile."""
    silent = Sink()
    released = asyncio.Event()

    async def say_nothing(_request: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    silent.answer = say_nothing
    await silent.start()
    worker = WorkerProcess(
        tmp_path / "data",
        CAMPFIRE_WEBHOOK_RETRY_SCHEDULE="0.05",
        CAMPFIRE_WEBHOOK_TIMEOUT="1",
    )
    await chat.add_webhook(silent.url)
    await chat.add_webhook(sink.url)
    worker.start()
    try:
        await chat.post("Hello")
        await sink.until(1)
        await until(chat, "dead", 1)
    finally:
        worker.end()
        released.set()
        await silent.stop()
    [letter] = dead_letters(chat.engine.settings.outbox_path)
    assert letter.failure_class == "timeout" and letter.attempts == 2


async def test_410_stops_deliveries_and_keeps_what_waits(chat: Chat, sink: Sink, worker: WorkerProcess) -> None:
    """The receiver says that it is gone for good."""

    async def gone(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=410)

    sink.answer = gone
    await chat.add_webhook(sink.url)
    worker.start()
    await chat.post("Hello")
    async with asyncio.timeout(30):
        while (status := await until(chat, "pending", 1)).endpoints[0].state != "disabled":
            await asyncio.sleep(0.02)
    assert status.endpoints[0].pending == 1
    assert len(sink.received) == 1


async def test_deleted_text_does_not_leave_late(chat: Chat, sink: Sink, tmp_path: Path) -> None:
    """A message deleted before its delivery succeeded is retried as a tombstone, under the same id."""
    sink.answer = refuse
    worker = WorkerProcess(tmp_path / "data", CAMPFIRE_WEBHOOK_RETRY_SCHEDULE="0.5,0.5,0.5,0.5")
    await chat.add_webhook(sink.url)
    worker.start()
    try:
        posted = await chat.post("I should not have said that")
        await sink.until(1)
        engine = chat.engine
        message = MessageState(posted.message_id, chat.room_id, chat.user_id, 1, posted.body, deleted=False)
        await engine.perform(lambda: decide_delete(engine.directory, message, actor_id=chat.user_id, at=1))
        sink.answer = ok
        await until(chat, "delivered", 1)
    finally:
        worker.end()
    assert len({received.webhook_id for received in sink.received}) == 1
    last = json.loads(sink.received[-1].body)
    assert last["type"] == "message.posted"
    assert last["data"] == {"id": posted.message_id, "room_id": chat.room_id, "withdrawn": "deleted"}


async def test_after_a_scrub_the_outbox_holds_nothing_of_the_text(
    chat: Chat, sink: Sink, worker: WorkerProcess, tmp_path: Path
) -> None:
    """Not even where a receiver said back what it was sent."""
    sink.answer = echo
    await chat.add_webhook(sink.url)
    worker.start()
    posted = await chat.post("Quetzalcoatl")
    await until(chat, "delivered", 1)
    engine = chat.engine
    message = MessageState(posted.message_id, chat.room_id, chat.user_id, 1, posted.body, deleted=False)
    await engine.perform(lambda: decide_delete(engine.directory, message, actor_id=chat.user_id, at=1))
    await Scrubber(engine).sweep(at_once=True)
    while any(b"Quetzalcoatl" in path.read_bytes() for path in (tmp_path / "data").glob("*.db*")):
        await asyncio.sleep(0.02)


async def test_both_secrets_sign_after_a_rotation(chat: Chat, sink: Sink, worker: WorkerProcess) -> None:
    """A receiver can change its secret without missing anything."""
    webhook_id = await chat.add_webhook(sink.url)
    engine, fresh = chat.engine, "whsec_" + "A" * 43 + "="
    sealed = engine.sealer.seal(fresh)
    now = engine.clock.now_ms()
    await engine.perform(
        lambda: decide_rotate_secret(
            engine.directory,
            webhook_id=webhook_id,
            sealed_secret=sealed,
            grace_ms=3_600_000,
            actor_id=chat.user_id,
            at=now,
        )
    )
    worker.start()
    await chat.post("Hello")
    await sink.until(1)
    for secret in (SECRET, fresh):
        Webhook(secret).verify(sink.received[0].body, sink.received[0].headers)


async def test_a_deleted_webhook_receives_nothing_more(chat: Chat, sink: Sink, worker: WorkerProcess) -> None:
    """What waited for it is cancelled."""
    sink.answer = refuse
    webhook_id = await chat.add_webhook(sink.url)
    await chat.post("Hello")
    engine = chat.engine
    await engine.perform(
        lambda: decide_delete_webhook(engine.directory, webhook_id=webhook_id, actor_id=chat.user_id, at=1)
    )
    worker.start()
    await until(chat, "cancelled", 1)
    assert sink.received == []


async def test_a_worker_told_to_stop_finishes_what_it_is_sending(chat: Chat, sink: Sink, worker: WorkerProcess) -> None:
    """SIGTERM ends it with exit code 0, and the delivery on its way is recorded, not repeated."""
    entered, released = asyncio.Event(), asyncio.Event()

    async def wait(_request: web.Request) -> web.StreamResponse:
        entered.set()
        await released.wait()
        return web.Response()

    sink.answer = wait
    await chat.add_webhook(sink.url)
    worker.start()
    await chat.post("Hello")
    async with asyncio.timeout(30):
        await entered.wait()
    stopping = asyncio.create_task(asyncio.to_thread(worker.signal, signal.SIGTERM))
    await asyncio.sleep(0)
    released.set()
    assert await stopping == 0
    status = outbox_status(chat.engine.settings.outbox_path, chat.engine.clock.now_ms())
    assert status is not None and (status.delivered, status.sending) == (1, 0)
