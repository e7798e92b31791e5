"""An `outbox.db` of an older version."""

import sqlite3
from pathlib import Path

import pytest

from campfire.errors import CampfireError
from outbox.ledger import Ledger
from outbox.queries import dead_letters, outbox_status
from outbox.schema import MIGRATIONS, SCHEMA


@pytest.fixture
def first_version(tmp_path: Path) -> Path:
    """Made before there were bots, with a webhook that failed."""
    path = tmp_path / "outbox.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(SCHEMA)
        connection.execute(
            "INSERT INTO endpoints (id, url, events, sealed_secret, created_position) VALUES ('w', 'u', '[]', 's', 7)"
        )
        connection.execute(
            "INSERT INTO deliveries (id, endpoint_id, position, event_type, payload, state, next_attempt_at,"
            " planned_at, finished_at, failure_class, failure)"
            " VALUES ('msg_1', 'w', 9, 'message.posted', x'00', 'dead', 1, 1, 1,"
            " 'status', 'answered 500')"
        )
        connection.execute("INSERT INTO cursor (id, position, chain, epoch) VALUES (1, 9, x'00', 'e')")
    connection.close()
    return path


async def test_an_older_outbox_is_brought_up_to_date_and_keeps_all(first_version: Path) -> None:
    """Opened once or many times; whoever looks into it before that sees no error."""
    assert dead_letters(first_version) == []
    status = outbox_status(first_version, 0)
    assert status is not None and (status.dead, status.endpoints) == (1, [])
    for _ in range(2):
        ledger = Ledger(first_version)
        await ledger.open()
        assert await ledger.rows("PRAGMA user_version") == [(len(MIGRATIONS),)]
        assert await ledger.rows("SELECT id, kind, name FROM endpoints") == [("w", "webhook", None)]
        await ledger.close()
    [letter] = dead_letters(first_version)
    assert (letter.id, letter.kind, letter.failure) == ("msg_1", "webhook", "answered 500")


async def test_an_outbox_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """This version does not know what it would break."""
    path = tmp_path / "outbox.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(CampfireError, match="newer version") as refused:
        await Ledger(path).open()
    assert refused.value.code == "CONFIGURATION_INVALID"
