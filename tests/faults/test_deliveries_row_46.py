"""Row 46 of the fault table: a replay of very much, asked for twice by mistake."""

import asyncio
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from outbox_support.chat import Chat
from outbox_support.planted import plant_dead_letters

from campfire.config import Settings
from campfire.domain.events import DeliveryReplayRequested, RecordedEvent
from campfire.engine import Engine
from campfire.eventlog.reader import LogReader
from outbox.cli import main
from outbox.ledger import Ledger
from outbox.replays import replay

MANY = 100_000
WEBHOOK = "7c0f1a52-6d3f-4c0e-9b63-0a5a0cf0c6de"
MOST_BYTES = 1_000
MOST_SECONDS = 30.0
"""Far more than it takes (two on two cores), and far less than a walk through everything for each would."""


def command(data: Path, *arguments: str) -> Any:
    result = CliRunner().invoke(main, [*arguments, "--data", str(data), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def requests_on_record(data: Path) -> list[RecordedEvent]:
    reader = LogReader(data / "events.db")
    try:
        found = reader.read(0, 1_000)
    finally:
        reader.close()
    return [each for each in found if isinstance(each.event, DeliveryReplayRequested)]


def states(path: Path) -> dict[str, int]:
    connection = sqlite3.connect(path)
    try:
        return dict(connection.execute("SELECT state, COUNT(*) FROM deliveries GROUP BY state").fetchall())
    finally:
        connection.close()


async def test_row_46_a_replay_of_100_000_that_is_run_twice_sends_nothing_twice(tmp_path: Path) -> None:
    """The second request is known by what it chooses, the event names nothing one by one, and it takes seconds."""
    data = tmp_path / "data"
    chat = Chat(await Engine.open(Settings(data=data)))
    await chat.found()
    await chat.close()
    path = data / "outbox.db"
    await plant_dead_letters(path, WEBHOOK, MANY)

    counted = await asyncio.to_thread(command, data, "dead-letters", "replay", "--all", "--dry-run")
    first = await asyncio.to_thread(command, data, "dead-letters", "replay", "--all")
    second = await asyncio.to_thread(command, data, "dead-letters", "replay", "--all")

    assert counted["count"] == first["count"] == MANY and {each["count"] for each in counted["counts"]} == {MANY // 2}
    assert (first["duplicate"], second["duplicate"]) == (False, True) and first["id"] == second["id"]
    [asked] = requests_on_record(data)
    event = asked.event
    assert isinstance(event, DeliveryReplayRequested)
    assert event.deliveries == () and event.upto == 1_000 + MANY and len(str(event)) < MOST_BYTES

    ledger = Ledger(path)
    await ledger.open()
    try:
        began = time.monotonic()
        woken = await ledger.write(lambda connection: replay(connection, event, 5_000))
        took = time.monotonic() - began
        assert woken == {WEBHOOK}
        replayed = states(path)
        # Some died again meanwhile: the same request must leave them alone.
        await ledger.write(
            lambda connection: connection.execute(
                "UPDATE deliveries SET state = 'dead', finished_at = 6000 WHERE sequence <= 10"
            )
        )
        assert await ledger.write(lambda connection: replay(connection, event, 7_000)) == set()
    finally:
        await ledger.close()
    print(f"{MANY} dead letters were put in line again in {took:.2f} s")  # noqa: T201 - a measure
    assert "dead" not in replayed and sum(replayed.values()) == MANY
    assert states(path)["dead"] == 10

    again = await asyncio.to_thread(command, data, "dead-letters", "replay", "--all", "--dry-run")
    assert again["count"] == 10
