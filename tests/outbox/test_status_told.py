"""What `campfire-outbox status` tells a tired person, from what it found."""

from typing import Any

import msgspec
import pytest

from outbox.commands.status import told
from outbox.push.queries import PushStatus
from outbox.status import AnswersStatus, EndpointStatus, Failure, OutboxStatus
from outbox.wording import span

NOON = 1_795_608_000_000  # 2026-11-25 12:00:00 UTC
PUSH = PushStatus(0, 0, 0, 0, {}, [])
ENDPOINT = EndpointStatus(
    id="w1",
    kind="webhook",
    name=None,
    url="https://hooks.example.com/in",
    state="active",
    why=None,
    planned=9,
    pending=0,
    queued=0,
    sending=0,
    parked=0,
    dead=0,
    lag_events=0,
    lag_ms=0,
    oldest=None,
    oldest_at=None,
    next_attempt_at=None,
    breaker="closed",
    breaker_until=None,
    failures=0,
    failing_since=None,
    last_failure=None,
)
STATUS = OutboxStatus(
    position=1204,
    tip=1204,
    lag_events=0,
    lag_ms=0,
    pending=0,
    queued=0,
    sending=0,
    dead=0,
    delivered=9,
    cancelled=0,
    worker_pid=7,
    worker_alive=True,
    worker_since=NOON,
    worker_epoch=3,
    answers=AnswersStatus(),
    endpoints=[ENDPOINT],
)
TROUBLED = msgspec.structs.replace(
    ENDPOINT,
    pending=12,
    queued=3,
    parked=1,
    dead=2,
    lag_events=37,
    lag_ms=253_000,
    oldest="msg_a",
    breaker="open",
    breaker_until=NOON + 60_000,
    failures=5,
    failing_since=NOON - 3_600_000,
    last_failure=Failure(NOON, "status", "answered 500\x1b"),
)


def changed(thing: Any, **values: Any) -> Any:
    return msgspec.structs.replace(thing, **values)


def test_when_all_is_well_there_is_nothing_to_type() -> None:
    """A line for the worker, the position, the counts, notifications, and each endpoint."""
    assert told(STATUS, PUSH) == [
        "Worker running with pid 7 (lease epoch 3), since 2026-11-25 12:00:00 UTC.",
        "The log is followed up to position 1204, its end.",
        "0 waiting, 0 queued, 0 being sent, 9 delivered, 0 dead letters, 0 cancelled.",
        "Notifications: 0 waiting, 0 being sent, 0 delivered, 0 dropped.",
        "",
        "https://hooks.example.com/in  [w1]",
        "  active; nothing waits",
    ]


def test_an_endpoint_in_trouble_is_told_whole() -> None:
    """How far it is behind, what waits for it, its breaker, its last failure; and what to type."""
    lines = told(changed(STATUS, endpoints=[TROUBLED], dead=2), PUSH)
    assert lines[5:] == [
        "https://hooks.example.com/in  [w1]",
        "  active; 37 events and 4 min 13 s behind (12 waiting, 3 queued, 1 parked); 2 dead letters",
        "  breaker open until 2026-11-25 12:01:00 UTC after 5 failures in a row",
        "  nothing but failures since 2026-11-25 11:00:00 UTC",
        "  last failure 2026-11-25 12:00:00 UTC: status (answered 500\\x1b)",
        "",
        "What to type next:",
        "  campfire-outbox explain msg_a    why it waits",
        "  campfire-outbox dead-letters list --webhook w1    what was given up",
        "  campfire-outbox dead-letters replay --all --dry-run    what would be sent again",
    ]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (changed(STATUS, worker_alive=False), "Worker not running: nothing is sent."),
        (changed(STATUS, worker_alive=False), "  campfire-outbox run    (the server runs one by itself, unless"),
        (
            changed(STATUS, position=1200, lag_events=4, lag_ms=3_000),
            "The log is followed up to position 1200 of 1204: 4 events and 3 s behind.",
        ),
        (changed(STATUS, answers=AnswersStatus(2)), "2 answers of bots wait for the server to post them."),
        (
            changed(STATUS, endpoints=[changed(ENDPOINT, state="disabled", why="the receiver answered 410 Gone")]),
            "  disabled: the receiver answered 410 Gone; nothing waits",
        ),
        (
            changed(STATUS, endpoints=[changed(ENDPOINT, state="paused")]),
            "  campfire-outbox endpoints resume w1    when its receiver is well again",
        ),
        (
            changed(STATUS, endpoints=[changed(ENDPOINT, lag_events=900, lag_ms=86_400_000 * 3)]),
            "  active; 900 events still to be looked at, 3 d behind",
        ),
        (
            changed(STATUS, endpoints=[changed(ENDPOINT, kind="bot", name="Deployer")]),
            "the bot Deployer at https://hooks.example.com/in  [w1]",
        ),
    ],
)
def test_what_is_wrong_is_said(status: OutboxStatus, said: str) -> None:
    """In words, with what to type about it."""
    assert any(line.startswith(said) for line in told(status, PUSH))


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_000, "1 s"),
        (59_999, "59 s"),
        (60_000, "1 min"),
        (7_980_000, "2 h 13 min"),
        (3_600_000, "1 h"),
        (273_600_000, "3 d 4 h"),
    ],
)
def test_spans_are_short(ms: int, said: str) -> None:
    """The two largest units."""
    assert span(ms) == said
