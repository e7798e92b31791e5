"""What was taken back, or is not for an endpoint any more, does not leave late."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from outbox_support.chat import Chat
from outbox_support.sink import Sink, ok
from outbox_support.stream import delete, deliveries, edit, has_caught_up, is_complete, move, said, until_true
from outbox_support.worker_process import WorkerProcess

from campfire.domain.events import DeliveryReplayRequested, MessagePosted, NewEvent
from campfire.domain.ids import replay_stream
from campfire.housekeeping.scrubber import Scrubber
from outbox import queueing
from outbox.letters import dead_letters
from outbox.planning import Planned
from outbox.queries import rows_of
from outbox.schema import MIGRATIONS, SCHEMA
from outbox.withdrawing import UNWANTED, cancel_unwanted

WORD = "Quetzalcoatl"


async def refuse(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=500)


@pytest.fixture
def stubborn(tmp_path: Path) -> Iterator[WorkerProcess]:
    """A worker that never gives up, nor waits for long."""
    process = WorkerProcess(
        tmp_path / "data",
        CAMPFIRE_WEBHOOK_RETRY_SCHEDULE=",".join(["0.1"] * 500),
        CAMPFIRE_WEBHOOK_BREAKER_SECONDS="0.05",
    )
    yield process
    process.end()


def is_tombstone(chat: Chat, posted: MessagePosted, told: dict[str, object]) -> bool:
    return told["data"] == {"id": posted.message_id, "room_id": chat.room_id, "withdrawn": "deleted"}


async def test_a_retry_of_a_deleted_message_is_a_tombstone_in_the_same_place(
    chat: Chat, sink: Sink, stubborn: WorkerProcess
) -> None:
    """With its id, number, time and position; so the stream stays complete without what was said."""
    sink.answer = refuse
    await chat.add_webhook(sink.url)
    stubborn.start()
    posted = await chat.post(WORD)
    await sink.until(1)
    await delete(chat, posted)
    await until_true(lambda: is_tombstone(chat, posted, said(sink.received[-1])))
    sink.answer = ok
    await chat.post("afterwards")
    await until_true(lambda: deliveries(chat, "state") == [("delivered",)] * 2)
    assert deliveries(chat, "withdrawn") == [(1,), (0,)]
    first, *_, last = [said(each) for each in sink.received if each.webhook_id == sink.received[0].webhook_id]
    assert {**first, "data": None} == {**last, "data": None}
    assert first["data"]["body"] == WORD and is_tombstone(chat, posted, last)
    assert is_complete(sink.received)


async def test_a_message_deleted_while_the_worker_was_down_does_not_leave_when_it_starts(
    chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """Though it was planned before: what a worker does not know yet, the log knows."""
    sink.answer = refuse
    patient = WorkerProcess(chat.engine.settings.data, CAMPFIRE_WEBHOOK_RETRY_SCHEDULE="1")
    await chat.add_webhook(sink.url)
    posted = await chat.post(WORD)
    patient.start()
    await sink.until(1)
    patient.end()
    before = len(sink.received)
    await delete(chat, posted)
    sink.answer = ok
    worker.start()
    await until_true(lambda: deliveries(chat, "state") == [("delivered",)])
    assert len(sink.received) > before
    assert all(is_tombstone(chat, posted, said(each)) for each in sink.received[before:])


async def test_a_dead_letter_of_a_deleted_message_is_replayed_as_a_tombstone(
    chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """Scrubbed or not."""
    sink.answer = refuse
    await chat.add_webhook(sink.url)
    worker.start()
    posted = await chat.post(WORD)
    await until_true(lambda: deliveries(chat, "state") == [("dead",)])
    [letter] = dead_letters(chat.engine.settings.outbox_path)
    await delete(chat, posted)
    await Scrubber(chat.engine).sweep(at_once=True)
    sink.answer = ok
    replay = DeliveryReplayRequested(at=1, replay_id="r1", deliveries=(letter.id,))
    await chat.engine.append([NewEvent(replay_stream("r1"), 1, replay)])
    await until_true(lambda: deliveries(chat, "state") == [("delivered",)])
    assert sink.received[-1].webhook_id == letter.id
    assert is_tombstone(chat, posted, said(sink.received[-1]))


async def test_a_delivered_message_that_was_deleted_since_comes_again_as_a_tombstone(
    chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """Whoever moves the cursor back gets a place for it, and what was edited into it is gone too."""
    webhook_id = await chat.add_webhook(sink.url, "message.posted", "message.edited")
    worker.start()
    posted = await chat.post(WORD)
    await edit(chat, posted, f"{WORD}!")
    await sink.until(2)
    await delete(chat, posted)
    await move(chat, webhook_id, 0)
    await sink.until(4)
    await until_true(lambda: has_caught_up(chat))
    for before, after in zip(sink.received[:2], sink.received[2:], strict=True):
        assert WORD in said(before)["data"]["body"] and is_tombstone(chat, posted, said(after))
        assert before.webhook_id == after.webhook_id


async def test_no_text_is_ever_in_the_outbox(chat: Chat, sink: Sink, worker: WorkerProcess, tmp_path: Path) -> None:
    """Neither of what waits nor of what was delivered; not in its WAL either."""
    await chat.add_webhook(sink.url)
    silent = Sink(refuse)
    await silent.start()
    await chat.add_webhook(silent.url)
    worker.start()
    await chat.post(WORD)
    await until_true(lambda: {("delivered",), ("dead",)} == set(deliveries(chat, "state")))
    files = list((tmp_path / "data").glob("outbox.db*"))
    await silent.stop()
    assert len(files) > 1 and not any(WORD.encode() in each.read_bytes() for each in files)


async def test_a_receiver_that_says_a_deleted_text_back_in_a_redirect_is_not_quoted(
    chat: Chat, sink: Sink, stubborn: WorkerProcess
) -> None:
    """Neither of attempts before the deletion, nor of one that was under way, nor as the reason why it waits."""
    answered, asked = asyncio.Event(), asyncio.Event()

    async def say_it_back(_request: web.Request) -> web.StreamResponse:
        if len(sink.received) > 1:
            asked.set()
            await answered.wait()
        return web.Response(status=302, headers={"Location": f"http://{WORD}.example/"})

    def kept() -> list[object]:
        path = chat.engine.settings.outbox_path
        return rows_of(path, "SELECT detail FROM attempts UNION ALL SELECT failure FROM deliveries")

    sink.answer = say_it_back
    await chat.add_webhook(sink.url)
    stubborn.start()
    posted = await chat.post(WORD)
    await asked.wait()
    assert WORD in str(kept())
    await delete(chat, posted)
    await until_true(lambda: deliveries(chat, "withdrawn") == [(1,)])
    assert WORD not in str(kept())
    answered.set()
    await until_true(lambda: len(kept()) > 3)
    assert WORD not in str(kept()) and "redirects elsewhere" in str(kept())


def test_an_endpoint_that_may_not_have_a_rooms_events_any_more_is_sent_none_that_wait() -> None:
    """They are cancelled on the record; what is on its way is sent for the last time, and a test is a test."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA + "".join(MIGRATIONS))
    connection.execute(
        "INSERT INTO endpoints (id, url, events, rooms, secrets, created_position)"
        " VALUES ('w', 'u', ?, ?, 's', 1), ('x', 'u', '[]', NULL, 's', 1)",
        (json.dumps(["message.posted"]), json.dumps(["mine"])),
    )
    kept = [a_delivery(1, "mine"), a_delivery(2, None, "webhook.tested", "test"), a_delivery(3, "other", endpoint="x")]
    unwanted = [
        a_delivery(4, "other"),
        a_delivery(5, "mine", "message.edited"),
        a_delivery(6, None),
        a_delivery(7, "other"),
        a_delivery(8, "other"),
        a_delivery(9, "other"),
    ]
    queueing.insert(connection, kept + unwanted, 1)
    connection.execute("UPDATE deliveries SET state = 'pending'")
    for position, state in ((7, "dead"), (8, "sending"), (9, "delivered")):
        connection.execute("UPDATE deliveries SET state = ? WHERE position = ?", (state, position))
    cancel_unwanted(connection, "w", 5)
    rows = connection.execute("SELECT position, state, failure, finished_at, is_last FROM deliveries ORDER BY position")
    assert rows.fetchall() == [
        *((position, "pending", None, None, 0) for position in (1, 2, 3)),
        *((position, "cancelled", UNWANTED, 5, 0) for position in (4, 5, 6, 7)),
        (8, "sending", UNWANTED, None, 1),
        (9, "delivered", None, None, 0),
    ]
    connection.close()


def a_delivery(
    position: int, room_id: str | None, event_type: str = "message.posted", cause: str = "live", endpoint: str = "w"
) -> Planned:
    return msgspec.convert(
        {
            "id": f"msg_{position}",
            "endpoint_id": endpoint,
            "position": position,
            "event_type": event_type,
            "message_id": None,
            "room_id": room_id,
            "cause": cause,
        },
        Planned,
    )
