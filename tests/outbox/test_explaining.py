"""`campfire-outbox explain`: what happened to a delivery, or why there is none, in sentences."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from click.testing import CliRunner
from outbox_support.chat import Chat
from outbox_support.sink import Sink
from outbox_support.worker_process import WorkerProcess

from campfire.domain.ids import ADMINISTRATORS_ROOM
from outbox.attempts import AttemptMade
from outbox.cli import main
from outbox.endpoint_past import Happening, Subscription
from outbox.explain import story, why_not
from outbox.facts import DeliveryFacts, Event, MissingFacts
from outbox.status import EndpointStatus

NOON = 1_795_608_000_000  # 2026-11-25 12:00:00 UTC
MINUTE = 60_000

HOOK = "https://hooks.example.com/in"
WANTED = Subscription(NOON - 90 * MINUTE, 7, ("message.posted",), None, 0)
EVENT = Event(1204, "message.posted", NOON, "r1", "Lobby")
ENDPOINT = EndpointStatus(
    id="w1",
    kind="webhook",
    name=None,
    url=HOOK,
    state="active",
    why=None,
    pending=1,
    queued=0,
    sending=0,
    parked=0,
    dead=0,
    planned=1,
    lag_events=1,
    lag_ms=0,
    oldest="msg_b",
    oldest_at=NOON,
    next_attempt_at=NOON,
    breaker="closed",
    breaker_until=None,
    failures=0,
    failing_since=None,
    last_failure=None,
)
WAITING = DeliveryFacts(
    id="msg_b",
    now=NOON,
    endpoint_id="w1",
    kind="webhook",
    name=None,
    url=HOOK,
    event_type="message.posted",
    position=1204,
    event=EVENT,
    cause="live",
    planned_at=NOON,
    sequence=17,
    previous="msg_a",
    state="pending",
    next_attempt_at=NOON,
    finished_at=None,
    parked_at=None,
    failure_class=None,
    failure=None,
    attempts=[],
    subscription=WANTED,
    meanwhile=[],
    behind=None,
    ahead=0,
    rate=None,
    endpoint=ENDPOINT,
    worker_alive=True,
)
FAILED = AttemptMade(
    number=1,
    started_at=NOON,
    ended_at=NOON + 350,
    failure_class="status",
    status=500,
    detail="answered 500",
    excerpt="no\x1b[2J\n",
    tries=2,
    peer="192.0.2.7:443",
    resolve_ms=3.0,
    connect_ms=12.0,
    first_byte_ms=300.0,
    body_ms=None,
    bytes_read=7,
)
MISSING = MissingFacts(
    endpoint_id="w1",
    kind="webhook",
    url=HOOK,
    state="active",
    created_at=NOON - 90 * MINUTE,
    created_position=7,
    position=1204,
    tip=2000,
    reached=2000,
    event=EVENT,
    subscription=WANTED,
    wants=WANTED,
    deleted_at=None,
    meanwhile=[],
)


def changed(facts: Any, **values: Any) -> Any:
    return msgspec.structs.replace(facts, **values)


def test_a_story_begins_with_what_why_and_where() -> None:
    """The event, the subscription that it fits, and its place in the endpoint's stream."""
    assert story(WAITING)[:3] == [
        (
            f"msg_b tells {HOOK} of message.posted at position 1204, which happened 2026-11-25 12:00:00 UTC in the room"
            " Lobby (r1)."
        ),
        (
            "It was planned 2026-11-25 12:00:00 UTC because it had just happened, and the endpoint subscribed to"
            " message.posted in every room at 2026-11-25 10:30:00 UTC (position 7)."
        ),
        "It is number 17 of the endpoint's stream; the one before is msg_a.",
    ]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (changed(WAITING, cause="history"), "because the endpoint's cursor was moved back, and"),
        (changed(WAITING, cause="test"), "because somebody asked for a test."),
        (changed(WAITING, cause="call"), "because the bot was called there."),
        (changed(WAITING, sequence=1, previous=None), "It is number 1 of the endpoint's stream, the first."),
        (changed(WAITING, previous=None), "the one before is not kept any more."),
        (changed(WAITING, event=None), "which the log has not."),
        (
            changed(WAITING, subscription=changed(WANTED, rooms=("r1",), conditions=2)),
            "in 1 room that fit 2 conditions",
        ),
        (
            changed(WAITING, attempts=[FAILED]),
            (
                "UTC: attempt 1 at 192.0.2.7:443 took 350 ms (resolving 3 ms, connecting 12 ms, waiting"
                " for the response 300 ms) in 2 tries and failed: status (answered 500). The response began"
                ' "no\\x1b[2J\\x0a".'
            ),
        ),
        (
            changed(WAITING, attempts=[changed(FAILED, failure_class=None, status=204, detail="delivered")]),
            "and succeeded: delivered (204).",
        ),
        (changed(WAITING, parked_at=NOON), "12:00:00 UTC: it was parked; the others of its line wait for it no more."),
        (changed(WAITING, meanwhile=[Happening(NOON, "the endpoint was paused")]), "UTC: the endpoint was paused."),
        (
            changed(WAITING, state="delivered", finished_at=NOON + 5 * MINUTE),
            "It was delivered 2026-11-25 12:05:00 UTC, 5 min after it happened.",
        ),
        (
            changed(WAITING, state="dead", finished_at=NOON, failure_class="timeout", failure="no answer"),
            "It was given up 2026-11-25 12:00:00 UTC: timeout (no answer).",
        ),
        (changed(WAITING, state="dead"), "To send it again: campfire-outbox dead-letters replay msg_b"),
        (
            changed(WAITING, state="cancelled", finished_at=NOON, failure="dropped: old"),
            "It was cancelled 2026-11-25 12:00:00 UTC: dropped: old.",
        ),
        (changed(WAITING, state="sending"), "It is being sent now."),
    ],
)
def test_a_story_says_what_happened(facts: DeliveryFacts, said: str) -> None:
    """Each thing that can have happened has its sentence, and nothing of a receiver reaches the terminal raw."""
    told = "\n".join(story(facts))
    assert said in told and "\x1b" not in told


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (WAITING, "It is due, and next."),
        (changed(WAITING, ahead=3), "It is due; 3 others of its endpoint go first."),
        (
            changed(WAITING, next_attempt_at=NOON + 4 * MINUTE),
            "Its next attempt is due 2026-11-25 12:04:00 UTC, in 4 min.",
        ),
        (
            changed(WAITING, state="queued", behind="msg_a"),
            "It is queued behind msg_a, which goes first, and after that it is its turn.",
        ),
        (
            changed(WAITING, endpoint=changed(ENDPOINT, breaker="open", breaker_until=NOON + MINUTE, failures=5)),
            "It waits for the circuit breaker, open until 2026-11-25 12:01:00 UTC after 5 failures in a row.",
        ),
        (changed(WAITING, endpoint=changed(ENDPOINT, state="paused")), "It waits because the endpoint is paused."),
        (
            changed(WAITING, endpoint=changed(ENDPOINT, state="disabled", why="the receiver answered 410 Gone")),
            "It waits because the endpoint is disabled (the receiver answered 410 Gone).",
        ),
        (
            changed(WAITING, endpoint=changed(ENDPOINT, state="disabled")),
            "To send again: campfire-outbox endpoints resume w1",
        ),
        (changed(WAITING, rate=0.5), "The endpoint takes at most 0.5 a second."),
        (
            changed(WAITING, worker_alive=False),
            "No worker is running, so nothing is sent. To start one: campfire-outbox run",
        ),
    ],
)
def test_a_story_ends_with_what_it_waits_for(facts: DeliveryFacts, said: str) -> None:
    """Whoever reads it knows what has to be over, or what to type."""
    assert said in story(facts)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (
            changed(MISSING, event=None, position=2001),
            "The log ends at position 2000: nothing has happened at position 2001 yet.",
        ),
        (
            changed(MISSING, created_position=1500),
            f"{HOOK} was made 2026-11-25 10:30:00 UTC at position 1500, later than this; it is sent what came after.",
        ),
        (
            changed(MISSING, created_position=1500),
            "To send it: campfire-outbox endpoints move w1 --to 1203 --until 1204",
        ),
        (
            changed(MISSING, event=changed(EVENT, type="room.created")),
            f"{HOOK} did not subscribe to room.created: since 2026-11-25 10:30:00 UTC it wanted message.posted.",
        ),
        (
            changed(MISSING, subscription=changed(WANTED, rooms=("r2",))),
            f"{HOOK} did not choose this room: since 2026-11-25 10:30:00 UTC it wanted r2.",
        ),
        (
            changed(MISSING, subscription=changed(WANTED, conditions=1, unmet=1)),
            f"{HOOK} did not want it: 1 of its filter's 1 condition did not hold for it.",
        ),
        (
            changed(MISSING, event=changed(EVENT, untold="its message was deleted, and what it said is gone")),
            "Nobody is told of it: its message was deleted, and what it said is gone.",
        ),
        (
            changed(MISSING, event=changed(EVENT, room_id=ADMINISTRATORS_ROOM)),
            (
                f"{HOOK} did not choose this room: since 2026-11-25 10:30:00 UTC it wanted every room but the"
                " administrators' own."
            ),
        ),
        (
            changed(MISSING, reached=1200, state="disabled"),
            f"{HOOK} is disabled: what has happened since then waits in the log.",
        ),
        (
            changed(MISSING, reached=1200, state="disabled"),
            "To send again: campfire-outbox endpoints resume w1",
        ),
        (
            changed(MISSING, created_position=1500, event=changed(EVENT, untold="nobody can subscribe to it")),
            "Nobody is told of it: nobody can subscribe to it.",
        ),
        (
            changed(MISSING, reached=1200),
            f"It has not been reached yet: for {HOOK} the log is followed up to 1200, 4 events before.",
        ),
        (
            changed(MISSING, deleted_at=NOON - MINUTE, state="deleted"),
            f"{HOOK} had been deleted 2026-11-25 11:59:00 UTC.",
        ),
        (
            changed(MISSING, meanwhile=[Happening(NOON, "the endpoint was resumed, to be sent nothing")]),
            "2026-11-25 12:00:00 UTC: the endpoint was resumed, to be sent nothing.",
        ),
    ],
)
def test_why_something_was_not_sent_is_told(facts: MissingFacts, said: str) -> None:
    """The first reason that there is."""
    assert said in why_not(facts)


@pytest.mark.parametrize(
    "wants",
    [changed(WANTED, events=("room.created",)), changed(WANTED, rooms=("r2",)), changed(WANTED, conditions=1, unmet=1)],
)
def test_nobody_is_told_to_type_what_would_send_nothing(wants: Subscription) -> None:
    """A cursor that is moved sends what the endpoint wants today."""
    assert len(why_not(changed(MISSING, created_position=1500))) == 3
    assert not any("endpoints move" in each for each in why_not(changed(MISSING, created_position=1500, wants=wants)))


async def explained(data: Path, *arguments: str) -> Any:
    result = await asyncio.to_thread(CliRunner().invoke, main, ["explain", *arguments, "--data", str(data), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def test_a_real_delivery_is_explained_from_plan_to_receipt(
    chat: Chat, sink: Sink, worker: WorkerProcess, tmp_path: Path
) -> None:
    """With the failure that it met; and why the message before the webhook was not sent, by its position or id."""
    answers = iter([500])

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=next(answers, 200), text="thanks")

    sink.answer = answer
    data = tmp_path / "data"
    early = await chat.post("too early")
    webhook_id = await chat.add_webhook(sink.url)
    await chat.post("Hello")
    position = chat.engine.position
    worker.start()
    await sink.until(2)
    delivery_id = sink.received[0].webhook_id
    async with asyncio.timeout(30):
        while (told := await explained(data, delivery_id))["state"] != "delivered":
            await asyncio.sleep(0.02)

    said = "\n".join(told["explanation"])
    assert sink.url in said and f"message.posted at position {position}" in said and "in the room" in said
    assert "attempt 1" in said and "failed: status (answered 500)" in said and 'began "thanks"' in said
    assert "attempt 2" in said and "It was delivered" in said
    by_position = await explained(data, webhook_id, "--position", str(position))
    assert by_position["explanation"] == told["explanation"]

    assert [each["excerpt"] for each in told["attempts"]] == ["thanks", "thanks"] and told["now"].endswith("Z")

    missing = await explained(data, webhook_id, "--message", early.message_id)
    assert "later than this" in missing["explanation"][1]
    assert "campfire-outbox endpoints move" in missing["explanation"][2]
    first = await explained(data, webhook_id, "--position", "1")
    assert first["explanation"][1].startswith("Nobody is told of it: nobody can subscribe to")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["msg_unknown"], "DELIVERY_NOT_FOUND"),
        (["push_1_unknown"], "DELIVERY_NOT_FOUND"),
        (["no-such-endpoint", "--position", "1"], "WEBHOOK_NOT_FOUND"),
        (["no-such-endpoint", "--message", "no such"], "MESSAGE_NOT_FOUND"),
    ],
)
async def test_what_there_is_not_is_not_explained(chat: Chat, tmp_path: Path, arguments: list[str], code: str) -> None:
    """Exit code 1, and the sentence that says which."""
    result = await asyncio.to_thread(
        CliRunner().invoke, main, ["explain", *arguments, "--data", str(tmp_path / "data")]
    )
    assert result.exit_code == 1 and code in result.stderr
