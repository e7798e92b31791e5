import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from campfire.domain.events import MessageEdited, MessagePosted, MessageScrubbed, Tombstone
from campfire.domain.scrubbing import tombstone_of
from campfire.eventlog.codec import EventCodec
from campfire.eventlog.errors import LogDamaged
from campfire.eventlog.recorder import Rewrite, SQLiteLogRecorder
from campfire.eventlog.verification import verify

MESSAGE = "00000000-0000-4000-8000-000000000001"
codec = EventCodec()
posted = MessagePosted(
    at=1, message_id=MESSAGE, room_id="hall", author_id="ada", author_name="Ada", body="secret", client_message_id="c"
)
CHANGED = "UPDATE events SET state = CAST(replace(state, 'scrubbed', 'scribbled') AS BLOB)"
edited = MessageEdited(at=2, message_id=MESSAGE, room_id="hall", by="ada", body="also secret")


@pytest.fixture
def log(recorder: SQLiteLogRecorder) -> Iterator[SQLiteLogRecorder]:
    """A message that was posted at position 1 and edited at position 2."""
    recorder.append([codec.to_stored(MESSAGE, 1, posted), codec.to_stored(MESSAGE, 2, edited)])
    yield recorder


def scrub(log: SQLiteLogRecorder, *, recorded: bool = True, digest: str = "") -> None:
    rewrites = [Rewrite(1, tombstone(posted)), Rewrite(2, tombstone(edited))]
    tombstones = tuple(Tombstone(each.position, digest or sha256(each.state).hexdigest()) for each in rewrites)
    event = MessageScrubbed(at=3, message_id=MESSAGE, room_id="hall", tombstones=tombstones if recorded else ())
    log.append([codec.to_stored(MESSAGE, 3, event)], rewrites)


def tombstone(event: MessagePosted | MessageEdited) -> bytes:
    what_stays = tombstone_of(event)
    assert what_stays is not None
    return codec.encode(what_stays)


def by_hand(path: Path, *statements: str) -> None:
    """What somebody does who means it: with the triggers out of the way."""
    shell = sqlite3.connect(path, isolation_level=None)
    shell.execute("DROP TRIGGER events_change_by_scrub_only")
    for statement in statements:
        shell.execute(statement)
    shell.close()


def test_a_scrubbed_log_verifies(log: SQLiteLogRecorder) -> None:
    """From the beginning, and from any position on."""
    scrub(log)
    assert [verify(log.reader, after) for after in range(4)] == [log.reader.tip()] * 4
    assert [recorded.event for recorded in log.reader.read(0)][:2] == [tombstone_of(posted), tombstone_of(edited)]


def test_who_where_and_when_stay(log: SQLiteLogRecorder) -> None:
    """And the client's id, so that a repeat of the post is recognised."""
    stays = tombstone_of(posted)
    assert isinstance(stays, MessagePosted)
    assert (stays.body, stays.scrubbed) == ("", True)
    assert (stays.author_id, stays.at, stays.client_message_id) == ("ada", 1, "c")
    assert tombstone_of(stays) is None


def test_a_tombstone_that_was_changed_is_named(log: SQLiteLogRecorder, tmp_path: Path) -> None:
    """Nobody can put words into the mouth of a scrubbed message."""
    scrub(log)
    by_hand(tmp_path / "events.db", CHANGED)
    with pytest.raises(LogDamaged, match="position 1"):
        verify(log.reader)


def test_a_rewriting_that_nobody_recorded_is_named(log: SQLiteLogRecorder) -> None:
    """A digest kept beside a state is not enough: the scrub itself must be on record."""
    scrub(log, recorded=False)
    with pytest.raises(LogDamaged, match="no scrub is on record"):
        verify(log.reader)


def test_a_scrub_recorded_with_other_tombstones_is_named(log: SQLiteLogRecorder) -> None:
    """The chain covers what a scrub left behind."""
    scrub(log, digest="00" * 32)
    with pytest.raises(LogDamaged, match="tombstone"):
        verify(log.reader)


def test_a_text_that_came_back_is_named(log: SQLiteLogRecorder, tmp_path: Path) -> None:
    """As from an old copy of the file: the digest matches, and still it must not be there."""
    scrub(log)
    state = codec.encode(posted).hex()
    by_hand(tmp_path / "events.db", f"UPDATE events SET state = x'{state}', scrubbed_digest = NULL WHERE position = 1")
    with pytest.raises(LogDamaged, match=r"position 1.*back"):
        verify(log.reader)


@pytest.mark.parametrize(
    "change", ["version = 9", "chain = x'00'", "topic = 'other'", "recorded_at = 1", "stream_id = x'00'"]
)
def test_a_scrub_changes_nothing_but_the_state(log: SQLiteLogRecorder, tmp_path: Path, change: str) -> None:
    """The log's own trigger sees to it, whatever program comes along."""
    shell = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    shell.execute("INSERT INTO log_info (name, value) VALUES ('scrubbing', '')")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        shell.execute(f"UPDATE events SET state = x'00', scrubbed_digest = x'00', {change} WHERE position = 1")
    shell.execute("UPDATE events SET state = x'00', scrubbed_digest = x'00' WHERE position = 1")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        shell.execute("UPDATE events SET state = x'01', scrubbed_digest = x'01' WHERE position = 1")
    shell.close()


def test_an_older_log_learns_to_be_scrubbed(log: SQLiteLogRecorder, tmp_path: Path) -> None:
    """One that was begun when its trigger refused every change."""
    log.close()
    by_hand(
        tmp_path / "events.db",
        "CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'append-only'); END",
    )
    reopened = SQLiteLogRecorder(tmp_path / "events.db")
    scrub(reopened)
    assert verify(reopened.reader) == reopened.reader.tip()
    reopened.close()
