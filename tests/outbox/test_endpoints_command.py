"""`campfire-outbox endpoints` and the choosing of dead letters, as somebody who keeps a server uses them."""

import asyncio
import json
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from faults_support.server_process import ServerProcess
from outbox_support.chat import Chat
from outbox_support.planted import plant_dead_letters

from campfire.domain.events import (
    DeliveriesDropped,
    Event,
    NewEvent,
    WebhookCursorMoved,
    WebhookDisabled,
    WebhookPaused,
    WebhookResumed,
)
from campfire.eventlog.reader import LogReader
from campfire.iso_times import iso_from_ms
from outbox.cli import main
from outbox.ledger import Ledger
from outbox.replays import drop

HOOK = "http://127.0.0.1:9/hook"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def ran(data: Path, *arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, [*arguments, "--data", str(data)])


async def told(data: Path, *arguments: str) -> Any:
    result = await ran(data, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def last_events(data: Path, count: int) -> list[Event]:
    reader = LogReader(data / "events.db")
    try:
        return [each.event for each in reader.read(0, 1_000)][-count:]
    finally:
        reader.close()


def webhook_events(data: Path) -> list[Event]:
    kinds = (WebhookPaused, WebhookResumed, WebhookCursorMoved)
    return [event for event in last_events(data, 100) if isinstance(event, kinds)]


def a_worker_has_run(data: Path) -> None:
    with closing(sqlite3.connect(data / "outbox.db")) as connection, connection:
        connection.execute("INSERT INTO cursor (id, position, chain, epoch) VALUES (1, 1, x'', '')")


async def test_an_endpoint_is_paused_and_resumed_on_the_record(chat: Chat, data: Path) -> None:
    """By whoever keeps the server, which is no user; what is so already is said, and not recorded again."""
    webhook_id = await chat.add_webhook(HOOK)
    await chat.close()
    assert (await told(data, "endpoints", "pause", webhook_id))["duplicate"] is False
    assert (await told(data, "endpoints", "pause", webhook_id))["duplicate"] is True
    assert "Resumed" in (await ran(data, "endpoints", "resume", webhook_id, "--catch-up", "latest")).stdout
    assert "active already" in (await ran(data, "endpoints", "resume", webhook_id)).stdout
    paused, resumed = webhook_events(data)
    assert isinstance(paused, WebhookPaused) and paused.by == ""
    assert isinstance(resumed, WebhookResumed) and (resumed.by, resumed.catch_up) == ("", "latest")


async def test_a_disabled_endpoint_is_resumed_but_not_paused(chat: Chat, data: Path) -> None:
    """Paused, it would seem that somebody had meant it to be."""
    webhook_id = await chat.add_webhook(HOOK)
    disabled = WebhookDisabled(at=1, webhook_id=webhook_id, reason="gone", detail="it answered 410")
    await chat.engine.append([NewEvent(webhook_id, None, disabled)])
    await chat.close()
    refused = await ran(data, "endpoints", "pause", webhook_id)
    assert refused.exit_code == 1 and "it answered 410" in refused.stderr
    assert (await told(data, "endpoints", "resume", webhook_id))["duplicate"] is False


async def test_beside_a_server_endpoints_are_changed_through_it(chat: Chat, data: Path) -> None:
    """It alone writes the log; its refusals come out as its own."""
    webhook_id = await chat.add_webhook(HOOK)
    await chat.close()
    server = ServerProcess(data)
    await asyncio.to_thread(server.start)
    try:
        assert (await told(data, "endpoints", "pause", webhook_id))["duplicate"] is False
        unknown = await ran(data, "endpoints", "pause", "7c0f1a52-6d3f-4c0e-9b63-0a5a0cf0c6de")
    finally:
        server.end()
    assert unknown.exit_code == 1 and "WEBHOOK_NOT_FOUND" in unknown.stderr
    assert [type(event) for event in webhook_events(data)] == [WebhookPaused]


async def test_a_cursor_is_moved_to_a_position_or_a_time(chat: Chat, data: Path) -> None:
    """From the first event at that time on; up to now, unless an end is said."""
    webhook_id = await chat.add_webhook(HOOK)
    begin = chat.engine.position
    await chat.post("one")
    recorded_at = chat.engine.reader.recorded_at(begin + 1)
    assert recorded_at is not None
    await chat.close()
    await told(data, "endpoints", "move", webhook_id, "--to", "3", "--until", "5")
    await told(data, "endpoints", "move", webhook_id, "--to", iso_from_ms(recorded_at))
    to_position, to_time = webhook_events(data)
    assert isinstance(to_position, WebhookCursorMoved) and isinstance(to_time, WebhookCursorMoved)
    assert (to_position.after, to_position.until, to_position.by) == (3, 5, "")
    assert to_time.after <= begin and to_time.until is None and to_time.move_id != to_position.move_id


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--to", "soon"], 2, "neither a position nor an ISO 8601 time"),
        (["--to", "999999"], 1, "must be a position of the log"),
        (["--to", "5", "--until", "3"], 1, "until must be a position from 5"),
    ],
)
async def test_a_move_to_nowhere_is_refused(chat: Chat, data: Path, arguments: list[str], code: int, said: str) -> None:
    """With what would be right, and nothing recorded."""
    webhook_id = await chat.add_webhook(HOOK)
    await chat.close()
    await plant_dead_letters(data / "outbox.db", webhook_id, 1)  # and the endpoint with it
    for more in ([], ["--dry-run"]):
        result = await ran(data, "endpoints", "move", webhook_id, *arguments, *more)
        assert result.exit_code == code and said in result.stderr
    assert webhook_events(data) == []


async def test_dead_letters_are_chosen_by_what_they_have_in_common(chat: Chat, data: Path) -> None:
    """By class, time, place in the stream, or name; counted before anything is done."""
    await chat.close()
    webhook_id = "7c0f1a52-6d3f-4c0e-9b63-0a5a0cf0c6de"
    ids = await plant_dead_letters(data / "outbox.db", webhook_id, 10)
    for choice, count in (
        (["--class", "timeout"], 5),
        (["--webhook", webhook_id, "--range", "3..5"], 3),
        (["--webhook", webhook_id, "--range", "9.."], 2),
        (["--webhook", webhook_id, "--range", "..4", "--class", "status"], 2),
        (["--since", iso_from_ms(1_004), "--until", iso_from_ms(1_006)], 3),
        ([ids[0], ids[7]], 2),
    ):
        assert (await told(data, "dead-letters", "replay", "--dry-run", *choice))["count"] == count, choice
    listed = await told(data, "dead-letters", "list", "--class", "timeout", "--limit", "2")
    assert [each["id"] for each in listed] == [ids[1], ids[3]]
    text = (await ran(data, "dead-letters", "replay", "--dry-run", "--all")).stdout
    assert "5  status" in text and "5  timeout" in text and "10 dead letters would be sent again" in text
    wrong = await ran(data, "dead-letters", "replay", "--range", "1..2")
    assert wrong.exit_code == 2 and "--range needs --webhook" in wrong.stderr


async def test_a_dead_letter_shows_what_the_receiver_said(chat: Chat, data: Path) -> None:
    """Without what a terminal would obey; and what is none is not shown."""
    await chat.close()
    [letter] = await plant_dead_letters(data / "outbox.db", "7c0f1a52-6d3f-4c0e-9b63-0a5a0cf0c6de", 1)
    shown = (await ran(data, "dead-letters", "show", letter)).stdout
    assert "answered 500" in shown and "not \\x1b[31mtoday" in shown and "\x1b" not in shown
    unknown = await ran(data, "dead-letters", "show", "msg_unknown")
    assert unknown.exit_code == 1 and "DELIVERY_NOT_FOUND" in unknown.stderr


async def test_what_is_to_be_typed_next_does_what_was_looked_at(chat: Chat, data: Path) -> None:
    """The same choice, in the same data directory; not every dead letter that there is."""
    await chat.close()
    webhook_id = "7c0f1a52-6d3f-4c0e-9b63-0a5a0cf0c6de"
    [first, *_] = await plant_dead_letters(data / "outbox.db", webhook_id, 4)
    a_worker_has_run(data)
    here = f"CAMPFIRE_DATA={shlex.quote(str(data))} campfire-outbox"
    for choice in (
        ["--webhook", webhook_id, "--class", "timeout", "--range", "1..3"],
        ["--since", "1970-01-01T00:00:01.001Z", "--until", "1970-01-01T00:00:01.002Z"],
    ):
        hint = (await ran(data, "dead-letters", "list", *choice)).stdout.splitlines()[-1]
        assert hint == f"Mend the endpoint, then: {here} dead-letters replay {' '.join(choice)}"
    assert (await ran(data, "dead-letters", "list")).stdout.endswith(f"{here} dead-letters replay --all\n")
    assert f"{here} dead-letters replay {first}" in (await ran(data, "explain", first)).stdout
    assert f"  {here} dead-letters list --webhook {webhook_id} " in (await ran(data, "status")).stdout


async def test_a_slip_of_the_hand_does_not_look_like_peace(chat: Chat, data: Path) -> None:
    """A class that there is not, a webhook that nobody knows, an endpoint where a delivery is meant."""
    await chat.close()
    webhook_id = "7c0f1a52-6d3f-4c0e-9b63-0a5a0cf0c6de"
    await plant_dead_letters(data / "outbox.db", webhook_id, 1)
    wrong = await ran(data, "dead-letters", "list", "--class", "timeuot")
    assert wrong.exit_code == 2 and "timeout" in wrong.stderr
    assert "knows no webhook or bot w0" in (await ran(data, "dead-letters", "list", "--webhook", "w0")).stdout
    endpoint = await ran(data, "explain", webhook_id)
    assert endpoint.exit_code == 2 and "is an endpoint" in endpoint.stderr and "--position" in endpoint.stderr


async def test_what_may_be_secret_in_an_address_is_not_shown(chat: Chat, data: Path) -> None:
    """Query and fragment; what is shown at night is in a ticket in the morning."""
    await chat.close()
    url = "https://hooks.example.com/in?token=swordfish#swordfish"
    [letter] = await plant_dead_letters(data / "outbox.db", "7c0f1a52-6d3f-4c0e-9b63-0a5a0cf0c6de", 1, url=url)
    a_worker_has_run(data)
    for command in (
        ["status"],
        ["dead-letters", "list"],
        ["explain", letter],
        ["dead-letters", "replay", "--all", "--dry-run"],
    ):
        result = await ran(data, *command)
        assert result.exit_code == 0, result.output
        said = result.stdout
        assert "https://hooks.example.com/in?…" in said and "swordfish" not in said, command


async def test_dropped_letters_are_cancelled_for_the_reason_on_record(chat: Chat, data: Path) -> None:
    """They are dead letters no more, cannot be replayed, and their story says why."""
    await chat.close()
    path = data / "outbox.db"
    ids = await plant_dead_letters(path, "7c0f1a52-6d3f-4c0e-9b63-0a5a0cf0c6de", 4)
    without = await ran(data, "dead-letters", "drop", "--all")
    assert without.exit_code == 2 and "--reason" in without.stderr
    dropped = await told(data, "dead-letters", "drop", "--class", "status", "--reason", "sent by hand")
    assert dropped["count"] == 2
    event = next(each for each in reversed(last_events(data, 5)) if isinstance(each, DeliveriesDropped))
    ledger = Ledger(path)
    await ledger.open()
    await ledger.write(lambda connection: drop(connection, event, 9_000))
    await ledger.close()
    assert [each["id"] for each in await told(data, "dead-letters", "list")] == [ids[1], ids[3]]
    story = (await ran(data, "explain", ids[0])).stdout
    assert "It was cancelled" in story and "dropped: sent by hand" in story
