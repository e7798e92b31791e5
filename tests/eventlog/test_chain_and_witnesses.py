import os
import sqlite3
from pathlib import Path
from uuid import uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from campfire.eventlog import witness
from campfire.eventlog.errors import LogDamaged
from campfire.eventlog.reader import LogReader
from campfire.eventlog.recorder import SQLiteLogRecorder
from campfire.eventlog.verification import verify
from campfire.eventlog.witness import TipFile, Witness, tip_file_witness


def a_log(path: Path, events: int) -> None:
    recorder = SQLiteLogRecorder(path)
    recorder.append([StoredEvent(uuid4(), 1, "test.happened:1", f"state {n:08d}".encode()) for n in range(events)])
    recorder.close()


def flip_a_byte(path: Path, text: bytes) -> None:
    content = bytearray(path.read_bytes())
    place = content.index(text)
    content[place] ^= 1
    path.write_bytes(content)


def test_an_intact_log_verifies_to_its_tip(tmp_path: Path) -> None:
    """Verification reaches the tip and tells its progress."""
    a_log(tmp_path / "events.db", 5_000)
    reader = LogReader(tmp_path / "events.db")
    seen: list[int] = []
    assert verify(reader, progress=seen.append) == reader.tip()
    assert seen[-1] == 5_000
    reader.close()


def test_a_flipped_byte_is_named(tmp_path: Path) -> None:
    """SQLite finds nothing wrong with a changed message; the chain names its position."""
    a_log(tmp_path / "events.db", 5_000)
    flip_a_byte(tmp_path / "events.db", b"state 00001233")
    reader = LogReader(tmp_path / "events.db")
    with pytest.raises(LogDamaged) as damage:
        verify(reader)
    assert damage.value.position == 1_234
    reader.close()


def test_a_removed_event_is_named(tmp_path: Path) -> None:
    """A hole is damage, whoever made it."""
    a_log(tmp_path / "events.db", 100)
    shell = sqlite3.connect(tmp_path / "events.db")
    shell.execute("DROP TRIGGER events_refuse_delete")
    shell.execute("DELETE FROM events WHERE position = 50")
    shell.commit()
    shell.close()
    reader = LogReader(tmp_path / "events.db")
    with pytest.raises(LogDamaged, match="position 50"):
        verify(reader)
    reader.close()


def test_the_start_looks_only_at_the_tail(tmp_path: Path) -> None:
    """Damage within the tail stops the start; damage before it is left to a full verification."""
    a_log(tmp_path / "events.db", 300)
    flip_a_byte(tmp_path / "events.db", b"state 00000150")
    reader = LogReader(tmp_path / "events.db")
    assert witness.check(reader, [], tail=100).position == 300
    with pytest.raises(LogDamaged, match="position 151"):
        witness.check(reader, [], tail=200)
    reader.close()


def test_a_log_behind_a_witness_is_refused(tmp_path: Path) -> None:
    """What is missing is named from the first lost position to the last that was seen."""
    a_log(tmp_path / "events.db", 10)
    reader = LogReader(tmp_path / "events.db")
    with pytest.raises(LogDamaged, match="positions 11 to 12 are missing"):
        witness.check(reader, [Witness("campfire.db", 12, b"\x01" * 32)])
    reader.close()


def test_a_log_with_another_history_is_refused(tmp_path: Path) -> None:
    """The same number of events is not enough: the digest must agree as well."""
    a_log(tmp_path / "one.db", 10)
    a_log(tmp_path / "two.db", 10)
    one, two = LogReader(tmp_path / "one.db"), LogReader(tmp_path / "two.db")
    witness.check(one, [Witness("itself", 10, one.tip().chain)])
    with pytest.raises(LogDamaged, match="disagree"):
        witness.check(one, [Witness("the other", 10, two.tip().chain)])
    one.close()
    two.close()


def test_a_log_copied_without_its_wal_is_noticed(tmp_path: Path) -> None:
    """The tip file remembers what the database file alone does not hold."""
    recorder = SQLiteLogRecorder(tmp_path / "events.db")
    recorder.append([StoredEvent(uuid4(), 1, "test.happened:1", b"{}")] * 1)
    recorder.checkpoint()
    recorder.append([StoredEvent(uuid4(), 1, "test.happened:1", b"{}")])
    tip_file = TipFile(tmp_path / "events.tip")
    tip_file.write(recorder.tip)
    copy = tmp_path / "copy.db"
    copy.write_bytes((tmp_path / "events.db").read_bytes())
    reader = LogReader(copy)
    remembered = tip_file_witness(tmp_path / "events.tip")
    assert remembered is not None and remembered.position == 2
    with pytest.raises(LogDamaged, match="positions 2 to 2 are missing"):
        witness.check(reader, [remembered])
    reader.close()
    recorder.close()
    tip_file.close()


def test_a_torn_tip_file_is_no_witness(tmp_path: Path) -> None:
    """After a power cut it may hold rubbish; that proves nothing and stops nothing."""
    for rubbish in (b"", b"\x00" * 160, b"12 zz epoch", os.urandom(160)):
        (tmp_path / "events.tip").write_bytes(rubbish)
        assert tip_file_witness(tmp_path / "events.tip") is None
    assert tip_file_witness(tmp_path / "missing") is None
