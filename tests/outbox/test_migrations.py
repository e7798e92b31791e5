"""An `outbox.db` of an older version."""

import sqlite3
from pathlib import Path

import pytest

from campfire.errors import CampfireError
from outbox.deliveries import claim, take_back
from outbox.ledger import Ledger
from outbox.letters import dead_letters
from outbox.schema import MIGRATIONS, SCHEMA
from outbox.status import outbox_status


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


async def test_secrets_and_lines_of_an_older_outbox_are_kept(first_version: Path) -> None:
    """What signed goes on signing; a room's deliveries form a line; a bot's calls wait for nothing."""
    with sqlite3.connect(first_version) as connection:
        connection.executescript(MIGRATIONS[0])
        connection.execute("PRAGMA user_version = 1")
        connection.execute("UPDATE endpoints SET previous_sealed_secret = 'old', previous_valid_until = 5")
        connection.execute(
            "INSERT INTO endpoints (id, kind, url, events, sealed_secret, created_position)"
            " VALUES ('b', 'bot', 'u', '[]', 'token', 7), ('c', 'bot', '', '[]', '', 8)"
        )
        connection.executemany(
            "INSERT INTO deliveries (id, endpoint_id, position, event_type, payload, state, next_attempt_at,"
            " planned_at) VALUES (?, ?, ?, 'message.posted', CAST(? AS BLOB), ?, 1, 1)",
            [
                ("msg_2", "w", 10, '{"data":{"room_id":"r"}}', "pending"),
                ("msg_3", "w", 11, '{"data":{"room_id":"r"}}', "sending"),
                ("msg_4", "w", 12, '{"data":{"room_id":"s"}}', "pending"),
                ("msg_5", "b", 13, '{"data":{"room_id":"r"}}', "pending"),
                ("msg_6", "b", 14, '{"data":{"room_id":"r"}}', "pending"),
            ],
        )
    connection.close()
    ledger = Ledger(first_version)
    await ledger.open()
    secrets = await ledger.rows("SELECT id, secrets, ordering FROM endpoints ORDER BY id")
    states = await ledger.rows("SELECT id, state FROM deliveries WHERE state <> 'dead' ORDER BY position")
    await ledger.close()
    assert secrets == [
        ("b", '[["token",null]]', "none"),
        ("c", "[]", "none"),
        ("w", '[["s",null],["old",5]]', "room"),
    ]
    assert dict(states) == {
        "msg_2": "queued",
        "msg_3": "sending",
        "msg_4": "pending",
        "msg_5": "pending",
        "msg_6": "pending",
    }


@pytest.fixture
def with_payloads(first_version: Path) -> Path:
    """Deliveries that hold what they say, as they did before bodies were rendered when they are sent."""
    rows = [
        ("msg_2", 10, "message.posted", "m", 0, b'{"data":{"id":"m","room_id":"r","body":"Quetzalcoatl"}}', "pending"),
        ("msg_3", 11, "message.previewed", None, 0, b'{"data":{"id":"m","room_id":"r"}}', "pending"),
        ("msg_4", 12, "bot.called", "m", 0, b'{"campfire":{"room_id":"r"}}', "pending"),
        ("msg_5", 13, "webhook.tested", None, 0, b'{"data":{"id":"w"}}', "delivered"),
        ("msg_6", 14, "message.posted", "n", 1, b'{"data":{"id":"n","room_id":"r"}}', "sending"),
    ]
    with sqlite3.connect(first_version) as connection:
        connection.executemany(
            "INSERT INTO deliveries (id, endpoint_id, position, event_type, message_id, withdrawn, payload, state,"
            " next_attempt_at, planned_at) VALUES (?, 'w', ?, ?, ?, ?, ?, ?, 1, 1)",
            rows,
        )
    connection.close()
    return first_version


async def test_what_waited_with_a_body_of_its_own_is_still_sent_and_holds_no_text_any_more(with_payloads: Path) -> None:
    """Each has its place in the stream, its room and its cause; the text is in no page of the file, nor in its WAL."""
    ledger = Ledger(with_payloads)
    await ledger.open()
    await ledger.write(lambda connection: take_back(connection, 2))
    rows = await ledger.rows("SELECT id, sequence, room_id, message_id, cause, state FROM deliveries ORDER BY sequence")
    claimed = await ledger.write(lambda connection: claim(connection, "w", 2))
    files = [path.read_bytes() for path in with_payloads.parent.glob("outbox.db*")]
    await ledger.close()
    assert rows == [
        ("msg_1", 1, None, None, "live", "dead"),
        ("msg_2", 2, "r", "m", "live", "pending"),
        ("msg_3", 3, "r", "m", "live", "queued"),
        ("msg_4", 4, "r", "m", "call", "queued"),
        ("msg_5", 5, None, None, "test", "delivered"),
        ("msg_6", 6, "r", "n", "live", "cancelled"),
    ]
    assert claimed is not None and (claimed.id, claimed.position, claimed.previous_id) == ("msg_2", 10, "msg_1")
    assert not any(b"Quetzalcoatl" in content for content in files)


async def test_an_outbox_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """This version does not know what it would break."""
    path = tmp_path / "outbox.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(CampfireError, match="newer version") as refused:
        await Ledger(path).open()
    assert refused.value.code == "CONFIGURATION_INVALID"
