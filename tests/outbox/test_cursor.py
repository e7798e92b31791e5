"""The cursor in the receiver's hand: history by one move, in order, and then what happens now."""

import asyncio
import random
import signal
from collections import Counter
from ipaddress import ip_network
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from outbox_support.chat import Chat
from outbox_support.sink import Sink
from outbox_support.stream import (
    bodies,
    delete,
    deliveries,
    has_caught_up,
    is_complete,
    move,
    said,
    until_true,
)
from outbox_support.worker_process import WorkerProcess

from campfire.clock import SystemClock
from campfire.domain.events import MessagePosted, NewEvent
from campfire.eventlog.reader import LogReader
from outbox import catch_up, planner
from outbox.ledger import Ledger
from outbox.planner import Planner
from outbox.rendering import Renderer
from outbox.worker import Worker


def tip(chat: Chat) -> int:
    return chat.engine.reader.tip().position


async def test_an_endpoint_made_today_receives_a_rooms_history_in_order_and_then_what_happens(
    chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """By one move to the beginning; of other rooms it learns nothing."""
    other = await chat.add_room("Other")
    for number in range(500):
        await chat.post(f"{number}")
        if number % 100 == 0:
            await chat.post(f"elsewhere {number}", other)
    webhook_id = await chat.add_webhook(sink.url, rooms=[chat.room_id])
    await move(chat, webhook_id, 0)
    await chat.post("500")
    worker.start()
    await sink.until(501)
    await until_true(lambda: has_caught_up(chat))
    await chat.post("501")
    await sink.until(502)
    assert bodies(sink.received) == [f"{number}" for number in range(502)]
    assert is_complete(sink.received)
    assert [cause for (cause,) in deliveries(chat, "cause")] == ["history"] * 500 + ["live"] * 2


async def test_a_move_with_an_end_stops_there_and_goes_on_with_what_happens(
    chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """What lies between the end and the move is left out."""
    webhook_id = await chat.add_webhook(sink.url)
    places = []
    for number in range(6):
        await chat.post(f"{number}")
        places.append(tip(chat))
    await move(chat, webhook_id, places[0], until=places[2])
    await chat.post("6")
    worker.start()
    await sink.until(3)
    await until_true(lambda: has_caught_up(chat))
    await chat.post("7")
    await sink.until(4)
    assert bodies(sink.received) == ["1", "2", "6", "7"]


async def test_what_was_delivered_before_is_sent_again_with_its_id_and_its_number(
    chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """The same bytes; the same move once more sends nothing."""
    webhook_id = await chat.add_webhook(sink.url)
    worker.start()
    for number in range(5):
        await chat.post(f"{number}")
    await sink.until(5)
    await until_true(lambda: deliveries(chat, "state") == [("delivered",)] * 5)
    after = said(sink.received[1])["position"]
    for _ in range(2):
        await move(chat, webhook_id, after)
        await sink.until(8)
        await until_true(lambda: has_caught_up(chat))
    await chat.post("5")
    await sink.until(9)
    assert bodies(sink.received) == ["0", "1", "2", "3", "4", "2", "3", "4", "5"]
    assert [each.body for each in sink.received[5:8]] == [each.body for each in sink.received[2:5]]
    assert [each.webhook_id for each in sink.received[5:8]] == [each.webhook_id for each in sink.received[2:5]]


async def test_what_waited_and_was_moved_past_is_cancelled_on_the_record(
    chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """A receiver that wants to begin anew is not sent the old queue first."""

    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=500)

    sink.answer = refuse
    slow = WorkerProcess(chat.engine.settings.data, CAMPFIRE_WEBHOOK_RETRY_SCHEDULE="600")
    webhook_id = await chat.add_webhook(sink.url)
    slow.start()
    try:
        for number in range(3):
            await chat.post(f"{number}")
        await until_true(lambda: len(sink.received) > 0 and len(deliveries(chat, "id")) == 3)
        await move(chat, webhook_id, tip(chat))
        await until_true(lambda: {state for (state,) in deliveries(chat, "state")} == {"cancelled"})
    finally:
        slow.end()
    assert {why for (why,) in deliveries(chat, "failure")} == {"the cursor was moved"}


async def test_what_was_on_its_way_and_was_moved_past_says_so(chat: Chat, sink: Sink, worker: WorkerProcess) -> None:
    """Whatever its receiver answers in the end, it is sent no more, and the record says why."""
    answered = asyncio.Event()

    async def refuse_late(_request: web.Request) -> web.StreamResponse:
        await answered.wait()
        return web.Response(status=500)

    sink.answer = refuse_late
    webhook_id = await chat.add_webhook(sink.url)
    worker.start()
    await chat.post("Hello")
    await sink.until(1)
    await move(chat, webhook_id, tip(chat))
    await until_true(lambda: has_caught_up(chat))
    answered.set()
    await until_true(lambda: deliveries(chat, "state") == [("cancelled",)])
    assert deliveries(chat, "failure") == [("the cursor was moved",)]


async def test_imported_history_is_sent_if_somebody_moves_the_cursor_over_it(
    chat: Chat, sink: Sink, worker: WorkerProcess
) -> None:
    """And only then: an import by itself tells nobody anything."""
    webhook_id = await chat.add_webhook(sink.url)
    message_id = chat.engine.new_id()
    imported = MessagePosted(
        at=1,
        message_id=message_id,
        room_id=chat.room_id,
        author_id=chat.user_id,
        author_name="Ann",
        body="long ago",
        client_message_id="c",
        origin="import",
    )
    await chat.engine.append([NewEvent(message_id, 1, imported)])
    worker.start()
    await chat.post("now")
    await sink.until(1)
    await move(chat, webhook_id, 0)
    await sink.until(3)
    assert bodies(sink.received) == ["now", "long ago", "now"]


class Imported(LogReader):
    """A log that came from an account's export, all of it."""

    def imported_upto(self) -> int:
        return self.tip().position


async def test_a_move_that_was_imported_moves_nothing(chat: Chat, tmp_path: Path) -> None:
    """It was made in another place, and carried out there."""
    webhook_id = await chat.add_webhook("http://127.0.0.1/hook")
    await move(chat, webhook_id, 0)
    for kind, cursor in ((Imported, None), (LogReader, 0)):
        reader, ledger = kind(chat.engine.settings.events_path), Ledger(tmp_path / f"{kind.__name__}.db")
        await ledger.open()
        await Planner(ledger, reader, Renderer(reader), lambda: 0).take(reader.read(0))
        assert await ledger.rows("SELECT cursor FROM endpoints") == [(cursor,)]
        await ledger.close()
        reader.close()


async def test_no_transaction_plans_more_than_a_bound(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many endpoints there are: the results of what was sent meanwhile do not wait long to be written down."""
    monkeypatch.setattr(planner, "MOST_AT_ONCE", 8)
    for number in range(4):
        await chat.add_webhook(f"http://127.0.0.1/hook/{number}")
    reader, ledger = LogReader(chat.engine.settings.events_path), Ledger(tmp_path / "bounded.db")
    await ledger.open()
    planning = Planner(ledger, reader, Renderer(reader), lambda: 0)
    known = reader.read(0)
    for page in planning.pages(known):
        await planning.take(page)
    for number in range(5):
        await chat.post(f"message {number}")
    planned = []
    for page in planning.pages(reader.read(known[-1].position)):
        await planning.take(page)
        planned += await ledger.rows("SELECT COUNT(*), (SELECT position FROM cursor) FROM deliveries")
    await ledger.close()
    reader.close()
    assert [count for count, _ in planned] == [8, 16, 20]
    assert planned[-1][1] == chat.engine.position


async def test_history_says_nothing_of_messages_that_are_deleted(chat: Chat, sink: Sink, worker: WorkerProcess) -> None:
    """One that was told before is a tombstone with its id; one that never was is left out."""
    early = await chat.add_webhook(sink.url)
    worker.start()
    told = await chat.post("told")
    await sink.until(1)
    await delete(chat, told)
    await chat.post("stays")
    await sink.until(2)
    late = Sink()
    await late.start()
    fresh = await chat.add_webhook(late.url)
    await move(chat, early, 0, move_id="early")
    await move(chat, fresh, 0, move_id="late")
    await sink.until(4)
    await late.until(1)
    await until_true(lambda: has_caught_up(chat))
    await late.stop()
    again = said(sink.received[2])
    assert sink.received[2].webhook_id == sink.received[0].webhook_id
    assert again["data"] == {"id": told.message_id, "room_id": chat.room_id, "withdrawn": "deleted"}
    assert bodies(late.received) == ["stays"]


async def test_an_endpoint_that_takes_nothing_is_planned_no_further_than_a_bound(
    chat: Chat, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log keeps the rest, so a long history does not fill the outbox; and others get theirs meanwhile."""
    monkeypatch.setattr(catch_up, "MOST_WAITING", 50)
    monkeypatch.setattr(catch_up, "_PAGE", 10)
    for number in range(150):
        await chat.post(f"{number}")
    allowed, quick = asyncio.Event(), Sink()

    async def not_yet(_request: web.Request) -> web.StreamResponse:
        await allowed.wait()
        return web.Response()

    sink.answer = not_yet
    await quick.start()
    blocked, other = await chat.add_webhook(sink.url), await chat.add_webhook(quick.url)
    await move(chat, blocked, 0, move_id="blocked")
    await move(chat, other, 0, move_id="other")
    settings = msgspec.structs.replace(chat.engine.settings, webhook_allow=(ip_network("127.0.0.0/8"),))
    worker = Worker(settings, SystemClock())
    running = asyncio.create_task(worker.run())
    try:
        await quick.until(150)
        of = [endpoint for (endpoint,) in deliveries(chat, "endpoint_id")]
        assert 50 <= of.count(blocked) <= 60 and of.count(other) == 150
        allowed.set()
        await sink.until(150)
        await until_true(lambda: has_caught_up(chat))
    finally:
        allowed.set()
        worker.stop()
        await running
        await quick.stop()
    assert bodies(sink.received) == [f"{number}" for number in range(150)]


@pytest.mark.parametrize("seed", [3])
async def test_a_worker_killed_while_it_catches_up_loses_nothing_and_repeats_only_what_was_on_its_way(
    chat: Chat, sink: Sink, worker: WorkerProcess, seed: int
) -> None:
    """At most one delivery a kill, under its own id."""
    kills, chance = 4, random.Random(seed)
    for number in range(600):
        await chat.post(f"{number}")
    webhook_id = await chat.add_webhook(sink.url)
    await move(chat, webhook_id, 0)
    worker.start()
    for number in range(kills):
        await sink.until(len(sink.received) + chance.randrange(20, 100))
        await asyncio.to_thread(worker.signal, signal.SIGKILL)
        await chat.post(f"{600 + number}")
        worker.start()
    await until_true(lambda: len({each.webhook_id for each in sink.received}) == 600 + kills)
    await until_true(lambda: has_caught_up(chat))
    times = Counter(each.webhook_id for each in sink.received)
    assert sum(times.values()) - len(times) <= kills
    assert set(bodies(sink.received)) == {f"{number}" for number in range(600 + kills)}
    assert is_complete(sink.received)
