"""An endpoint's stream: numbered, complete, and the same bytes under the same id."""

import asyncio
import json
import random
import signal
import sqlite3
from collections import defaultdict
from pathlib import Path

import pytest
from aiohttp import web
from outbox_support.chat import SECRET, Chat
from outbox_support.sink import Sink
from outbox_support.stream import bodies, delete, is_complete, said, until_true
from outbox_support.worker_process import WorkerProcess
from standardwebhooks import Webhook

from campfire.domain.events import Condition, MessagePosted, RecordedEvent
from campfire.domain.public_view import public_view
from campfire.eventlog.reader import LogReader
from outbox.deliveries import Claimed, Destination
from outbox.planning import Endpoint, plan, plan_history
from outbox.rendering import Renderer, body_of, encode, tombstone_of

PATIENT = {"CAMPFIRE_WEBHOOK_RETRY_SCHEDULE": ",".join(["0.02"] * 200), "CAMPFIRE_WEBHOOK_BREAKER_SECONDS": "0.02"}


async def test_each_delivery_says_its_place_in_the_stream_and_names_the_one_before_it(
    chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """Within what is signed; another endpoint's stream is counted by itself."""
    other = Sink()
    await other.start()
    await chat.add_webhook(sink.url)
    worker.start()
    await chat.post("one")
    await sink.until(1)
    await chat.add_webhook(other.url)
    await chat.post("two")
    await sink.until(2)
    await other.until(1)
    await other.stop()
    first, second = (Webhook(SECRET).verify(each.body, each.headers) for each in sink.received)
    assert (first["sequence"], first["previous_id"]) == (1, None)
    assert (second["sequence"], second["previous_id"]) == (2, sink.received[0].webhook_id)
    assert second["position"] > first["position"] and second["data"]["body"] == "two"
    alone = said(other.received[0])
    assert (alone["sequence"], alone["previous_id"], alone["position"]) == (1, None, second["position"])


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_receiver_that_fails_at_random_can_prove_that_it_missed_nothing(
    chat: Chat, sink: Sink, tmp_path: Path, seed: int
) -> None:
    """Whatever fails and however often the worker is killed: every number once, each naming the one before it, and
    the same bytes for the same id every time.
    """
    chance = random.Random(seed)
    taken: set[str] = set()

    async def at_random(request: web.Request) -> web.StreamResponse:
        if chance.random() < 0.4:
            return web.Response(status=500)
        taken.add(request.headers["webhook-id"])
        return web.Response()

    sink.answer = at_random
    worker = WorkerProcess(tmp_path / "data", **PATIENT)
    await chat.add_webhook(sink.url)
    worker.start()
    try:
        for number in range(40):
            await chat.post(f"message {number}")
            if number in (13, 27):
                await sink.until(len(sink.received) + chance.randrange(1, 10))
                await asyncio.to_thread(worker.signal, signal.SIGKILL)
                worker.start()
        await until_true(lambda: len(taken) == 40)
    finally:
        worker.end()
    versions = defaultdict(set)
    for received in sink.received:
        versions[received.webhook_id].add(received.body)
    assert {len(each) for each in versions.values()} == {1}
    assert is_complete(sink.received)
    assert set(bodies(sink.received)) == {f"message {number}" for number in range(40)}


def test_an_endpoint_is_sent_what_all_of_its_conditions_let_through() -> None:
    """Of what happens and of history alike."""
    endpoint = Endpoint(
        "w",
        frozenset({"message.posted"}),
        None,
        0,
        (Condition("body", "starts_with", "!"), Condition("author.name", "equals", "Ann")),
    )

    def wanted(body: str, author: str) -> list[str]:
        posted = MessagePosted(
            at=1,
            message_id="m",
            room_id="r",
            author_id="a",
            author_name=author,
            body=body,
            client_message_id="c",
        )
        recorded = RecordedEvent(7, "m", 1, 1, posted)
        live, history = plan(recorded, [endpoint], "epoch"), plan_history(recorded, endpoint, "epoch")
        assert [each.id for each in live] == [each.id for each in history]
        return [each.cause for each in live + history]

    assert wanted("!deploy", "Ann") == ["live", "history"]
    assert wanted("!deploy", "Ben") == wanted("deploy", "Ann") == []


async def test_what_is_rendered_from_memory_is_what_is_rendered_from_the_log(chat: Chat) -> None:
    """For every event of a log; also if the memory is smaller than any of them."""
    await chat.post("Hello \u201cyou\u201d \u2028 & <b>")
    recorded = chat.engine.reader.read(0)
    forgetful, remembering = Renderer(chat.engine.reader, cache_bytes=1), Renderer(chat.engine.reader)
    remembering.is_behind = False
    remembering.keep(recorded)
    for each in recorded:
        body = body_of(each.event, 3, "msg_2", each.position)
        assert await forgetful.payload(a_claim(each)) == await remembering.payload(a_claim(each)) == body
        assert list(json.loads(body)) == ["type", "timestamp", "sequence", "previous_id", "position", "data"]


async def test_what_the_planner_has_just_taken_is_not_read_again(chat: Chat) -> None:
    """Not even once the log cannot be read any more; but what is not known to be the log's last word is looked up."""
    await chat.post("Hello")
    [posted] = [each for each in chat.engine.reader.read(0) if isinstance(each.event, MessagePosted)]
    reader = LogReader(chat.engine.settings.events_path)
    renderer = Renderer(reader)
    renderer.keep([posted])
    reader.close()
    renderer.is_behind = False
    assert await renderer.payload(a_claim(posted)) == body_of(posted.event, 3, "msg_2", posted.position)
    renderer.is_behind = True
    with pytest.raises(sqlite3.ProgrammingError):
        await renderer.payload(a_claim(posted))


async def test_what_is_withdrawn_is_never_said_again(chat: Chat) -> None:
    """Whether the delivery is marked so, or the log says more than the outbox has learnt; remembered or not."""
    message = await chat.post("Hello")
    [posted] = [each for each in chat.engine.reader.read(0) if isinstance(each.event, MessagePosted)]
    renderer = Renderer(chat.engine.reader)
    renderer.is_behind = False
    tombstone = tombstone_of(posted.event, 3, "msg_2", posted.position)
    told = json.loads(tombstone)
    assert told["data"] == {"id": message.message_id, "room_id": chat.room_id, "withdrawn": "deleted"}
    assert {**told, "data": None} == {**json.loads(body_of(posted.event, 3, "msg_2", posted.position)), "data": None}
    renderer.keep([posted])
    assert await renderer.payload(a_claim(posted)) != tombstone
    assert await renderer.payload(a_claim(posted, withdrawn=True)) == tombstone
    await delete(chat, message)
    renderer.forget([message.message_id])
    assert await renderer.payload(a_claim(posted)) == tombstone
    assert await Renderer(chat.engine.reader).payload(a_claim(posted)) == tombstone


async def test_a_memory_that_is_full_lets_go_of_the_oldest(chat: Chat) -> None:
    """So it stays as small as it was said to be, however long the history."""
    for number in range(5):
        await chat.post(f"{number}")
    posted = [each for each in chat.engine.reader.read(0) if isinstance(each.event, MessagePosted)]
    [size] = {len(encode(public_view(each.event))) for each in posted}
    renderer = Renderer(reader := LogReader(chat.engine.settings.events_path), cache_bytes=2 * size)
    renderer.is_behind = False
    renderer.keep(posted)
    reader.close()
    for each in posted[3:]:
        assert await renderer.payload(a_claim(each)) is not None
    with pytest.raises(sqlite3.ProgrammingError):
        await renderer.payload(a_claim(posted[2]))


def a_claim(recorded: RecordedEvent, *, withdrawn: bool = False) -> Claimed:
    """The third delivery of some endpoint."""
    return Claimed(
        id="msg_3",
        endpoint_id="w",
        position=recorded.position,
        sequence=3,
        previous_id="msg_2",
        event_type=recorded.event.topic,
        message_id=None,
        room_id=None,
        withdrawn=withdrawn,
        cause="live",
        attempts=1,
        round=1,
        hops=0,
        planned_at=0,
        destination=Destination("http://127.0.0.1", (), None, None, 1, "room", "webhook", 1),
    )
