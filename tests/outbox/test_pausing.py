"""Pausing, disabling and resuming an endpoint, and what it is told of what piled up."""

import asyncio

import pytest
from aiohttp import web
from outbox_support.chat import Chat
from outbox_support.lines import Lines
from outbox_support.serving import Serving, bodies, refusing
from outbox_support.sink import Sink, ok

from campfire.domain.events import WebhookCursorMoved, WebhookDeleted, WebhookDisabled
from campfire.domain.events.webhooks import CatchUp
from outbox import backlog, deliveries

EXPECTED: dict[CatchUp, set[str]] = {
    "everything": {"first", "second", "third", "elsewhere"},
    "latest": {"third", "elsewhere"},
    "skip": set(),
}


async def say_much(serving: Serving) -> None:
    room_id = await serving.add_room("Elsewhere")
    await serving.post("first")
    await serving.post("second")
    await serving.post("elsewhere", room_id)
    await serving.post("third")


async def is_gone(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=410)


@pytest.mark.parametrize("catch_up", list(EXPECTED))
async def test_a_paused_endpoint_is_sent_nothing_and_then_what_whoever_resumes_it_says(
    serving: Serving, sink: Sink, catch_up: CatchUp
) -> None:
    """Everything, the latest of each room, or nothing of what waited; and all that comes after."""
    webhook_id = await serving.add_webhook(sink.url)
    serving.start()
    await serving.pause(webhook_id)
    await say_much(serving)
    await serving.until("SELECT COUNT(*) = 4 FROM deliveries")
    assert sink.received == []
    await serving.resume(webhook_id, catch_up)
    await serving.post("afterwards")
    wanted = EXPECTED[catch_up] | {"afterwards"}
    await sink.until(len(wanted))
    await serving.until_in_state("delivered", len(wanted))
    assert set(bodies(sink.received)) == wanted and len(sink.received) == len(wanted)
    assert serving.rows("SELECT COUNT(*) FROM deliveries WHERE state = 'cancelled'") == [(5 - len(wanted),)]
    assert all("skipped" in row[0] for row in serving.rows("SELECT failure FROM deliveries WHERE state = 'cancelled'"))


@pytest.mark.parametrize("catch_up", list(EXPECTED))
async def test_a_disabled_endpoint_is_planned_nothing_until_whoever_resumes_it_says_what_it_is_told(
    serving: Serving, sink: Sink, catch_up: CatchUp
) -> None:
    """After 410 the log keeps what happens: all of it is sent, the latest of each room, or none."""
    sink.answer = is_gone
    webhook_id = await serving.add_webhook(sink.url)
    serving.start()
    await serving.post("nobody there")
    await serving.until("SELECT state = 'disabled' FROM endpoints")
    await say_much(serving)
    tip = serving.engine.position
    await serving.until("SELECT position >= ? FROM cursor", tip)
    [(cursor,)] = serving.rows("SELECT cursor FROM endpoints")
    assert cursor is not None and cursor <= tip
    del sink.received[:]
    sink.answer = ok
    await serving.resume(webhook_id, catch_up)
    await serving.post("afterwards")
    wanted = EXPECTED[catch_up] | {"afterwards"} | ({"nobody there"} if catch_up == "everything" else set())
    await serving.until_in_state("delivered", len(wanted))
    await serving.until("SELECT cursor IS NULL FROM endpoints")
    assert sorted(bodies(sink.received)) == sorted(wanted)
    assert serving.rows("SELECT COUNT(*) FROM deliveries WHERE state = 'queued' OR state = 'pending'") == [(0,)]


async def test_what_the_log_says_of_a_disabled_endpoint_freezes_it_where_it_stands(
    serving: Serving, sink: Sink
) -> None:
    """Said twice, the first counts: nothing between is forgotten."""
    webhook_id = await serving.add_webhook(sink.url)
    serving.start()
    disabled = WebhookDisabled(at=1, webhook_id=webhook_id, reason="gone", detail="The receiver answered 410 Gone.")
    await serving.tell(disabled)
    [(frozen,)] = serving.rows("SELECT cursor FROM endpoints")
    assert frozen == serving.engine.position
    await serving.post("in between")
    await serving.tell(disabled)
    assert serving.rows("SELECT cursor FROM endpoints") == [(frozen,)]


def test_an_endpoint_that_is_disabled_while_it_catches_up_goes_on_where_it_was() -> None:
    """What it had not been planned yet is not passed over."""
    lines = Lines()
    lines.add_endpoint("e", cursor=3)
    deliveries.disable(lines.connection, "e", "gone", 90)
    assert lines.connection.execute("SELECT state, cursor FROM endpoints").fetchall() == [("disabled", 3)]


async def test_a_resumed_endpoint_is_forgiven(chat: Chat, sink: Sink) -> None:
    """Neither the breaker nor a retry that is hours away keeps it waiting, and what was parked has its place again."""
    serving = Serving(chat, schedule=(7200.0,), breaker_seconds=3600.0)
    refusing(sink, lambda _said: True)
    webhook_id = await serving.add_webhook(sink.url)
    rooms = [await serving.add_room(f"Room {number}") for number in range(5)]
    serving.start()
    try:
        for room_id in rooms:
            await serving.post("refused", room_id)
        await serving.until("SELECT COUNT(*) FROM breakers WHERE opened_at IS NOT NULL")
        await serving.pause(webhook_id)
        sink.answer = ok
        await serving.resume(webhook_id)
        await serving.until_in_state("delivered", 5)
        assert serving.rows("SELECT failing_since FROM endpoints") == [(None,)]
    finally:
        await serving.stop()


def test_what_was_parked_has_its_place_in_line_again_after_a_resumption() -> None:
    """The endpoint was the trouble, not the delivery; and it is tried at once."""
    lines = Lines()
    lines.add_endpoint("e")
    first, second = lines.plan("e", "r", "r")
    claimed = lines.claim("e")
    assert claimed is not None
    lines.now += 15 * 60_000
    lines.end(claimed, ok=False, wait=36_000)
    assert lines.states([first, second]) == ["pending", "pending"]
    backlog.resume(lines.connection, "e", "everything", 10, lines.now)
    assert lines.states([first, second]) == ["pending", "queued"]
    again = lines.claim("e")
    assert again is not None and again.id == first and not again.is_late


def test_only_the_latest_of_each_room_of_what_is_planned_after_a_resumption_is_sent() -> None:
    """The rest is cancelled as it is planned, and nothing goes before it is known which is the latest."""
    lines = Lines()
    lines.add_endpoint("e", cursor=0, state="disabled")
    before = lines.plan("e", "r1", "r1")
    lines.connection.execute("UPDATE endpoints SET state = 'active'")
    backlog.resume(lines.connection, "e", "latest", 6, lines.now)
    missed = lines.plan("e", "r1", "r2", "r2", None)
    assert lines.claim("e") is None and deliveries.next_due(lines.connection, "e", lines.now) is not None
    after = lines.plan("e", "r1")
    lines.connection.execute("UPDATE endpoints SET cursor = NULL")
    assert lines.states(before) == ["cancelled", "cancelled"]
    assert lines.states(missed) == ["pending", "cancelled", "pending", "pending"]
    assert lines.states(after) == ["queued"]
    assert lines.claim("e") is not None


def test_who_asks_for_the_past_later_is_told_all_of_it() -> None:
    """That only the latest was wanted once says nothing of a cursor that is moved afterwards."""
    lines = Lines()
    lines.add_endpoint("e", cursor=0)
    backlog.resume(lines.connection, "e", "latest", 1000, lines.now)
    lines.take(WebhookCursorMoved(at=1, webhook_id="e", move_id="m", after=0))
    assert lines.states(lines.plan("e", "r", "r")) == ["pending", "queued"]
    assert lines.claim("e") is not None


@pytest.mark.parametrize("catch_up", list(EXPECTED))
async def test_after_an_outage_the_endpoints_own_policy_says_what_it_is_told(
    serving: Serving, sink: Sink, catch_up: CatchUp
) -> None:
    """A quarter of an hour of failures is an outage, and its first success the end of it."""
    is_down = True
    refusing(sink, lambda _said: is_down)
    await serving.add_webhook(sink.url, ordering="endpoint", catch_up=catch_up)
    serving.start()
    await serving.post("the first")
    await serving.until("SELECT attempts >= 1 FROM deliveries")
    await say_much(serving)
    await serving.until("SELECT COUNT(*) = 5 FROM deliveries")
    serving.clock.set_forward(15 * 60 + 1)
    is_down = False
    await serving.until_in_state("delivered", 1 + len(EXPECTED[catch_up]))
    await serving.until("SELECT COUNT(*) = 0 FROM deliveries WHERE state IN ('queued', 'pending', 'sending')")
    delivered = {row[0] for row in serving.rows("SELECT position FROM deliveries WHERE state = 'delivered'")}
    assert len(delivered) == 1 + len(EXPECTED[catch_up])
    await serving.post("afterwards")
    await serving.until_in_state("delivered", 2 + len(EXPECTED[catch_up]))


async def test_a_short_failure_is_no_outage(serving: Serving, sink: Sink) -> None:
    """Nothing is skipped for it."""
    is_down = True
    refusing(sink, lambda _said: is_down)
    await serving.add_webhook(sink.url, ordering="endpoint", catch_up="skip")
    serving.start()
    await say_much(serving)
    await serving.until("SELECT MAX(attempts) >= 1 FROM deliveries")
    is_down = False
    await serving.until_in_state("delivered", 4)


async def test_a_deleted_endpoint_is_sent_nothing_of_what_waits(serving: Serving, sink: Sink) -> None:
    """All of it is cancelled on the record, what is behind in line too."""
    refusing(sink, lambda _said: True)
    webhook_id = await serving.add_webhook(sink.url)
    serving.start()
    await say_much(serving)
    await serving.until("SELECT COUNT(*) = 4 FROM deliveries")
    await serving.tell(WebhookDeleted(at=1, webhook_id=webhook_id, by=serving.chat.user_id))
    await serving.until_in_state("cancelled", 4)
    reasons = serving.rows("SELECT DISTINCT failure FROM deliveries")
    assert reasons == [("the webhook was deleted",)]
    async with asyncio.timeout(60):
        await serving.until("SELECT COUNT(*) = 0 FROM deliveries WHERE state = 'sending'")
