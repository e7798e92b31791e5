import sqlite3
from pathlib import Path
from uuid import uuid4

import pytest
from eventsourcing.persistence import IntegrityError, OperationalError, StoredEvent

from campfire.clock import ManualClock
from campfire.eventlog.recorder import SQLiteLogRecorder


def stored(version: int = 1, size: int = 10) -> StoredEvent:
    return StoredEvent(uuid4(), version, "test.happened:1", b"x" * size)


def test_positions_start_at_one_and_have_no_gaps(recorder: SQLiteLogRecorder) -> None:
    """A refused batch leaves no hole, so that a gap can only mean damage."""
    first = stored()
    assert recorder.insert_events([first, stored()]) == [1, 2]
    with pytest.raises(IntegrityError):
        recorder.insert_events([stored(), first])
    assert recorder.insert_events([stored()]) == [3]


def test_the_log_refuses_change_and_removal(recorder: SQLiteLogRecorder, tmp_path: Path) -> None:
    """Even somebody with the file open in a shell cannot rewrite history by accident."""
    recorder.insert_events([stored()])
    shell = sqlite3.connect(tmp_path / "events.db")
    for statement in ("UPDATE events SET state = x'00'", "DELETE FROM events", "DELETE FROM events WHERE position = 1"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            shell.execute(statement)
    shell.close()


def test_recording_times_never_decrease(recorder: SQLiteLogRecorder, clock: ManualClock) -> None:
    """A clock set back does not reorder time in the log."""
    recorder.insert_events([stored()])
    clock.advance(-3600)
    recorder.insert_events([stored()])
    times = [recorder.reader.recorded_at(position) for position in (1, 2)]
    assert times[0] == times[1]


def test_the_time_of_a_position_is_found_without_an_index(recorder: SQLiteLogRecorder, clock: ManualClock) -> None:
    """`position_at` answers for moments before, between, at and after the events."""
    times = []
    for _ in range(5):
        clock.advance(10)
        recorder.insert_events([stored()])
        times.append(clock.now_ms())
    assert recorder.reader.position_at(times[0] - 1) == 0
    assert [recorder.reader.position_at(at) for at in times] == [1, 2, 3, 4, 5]
    assert recorder.reader.position_at(times[2] + 5) == 3
    assert recorder.reader.position_at(times[4] + 1_000_000) == 5


def test_a_full_disk_is_reported_and_heals(recorder: SQLiteLogRecorder) -> None:
    """Nothing of the refused batch stays, and the same recorder goes on once there is room."""
    recorder.insert_events([stored()])
    recorder.limit_pages(12)
    with pytest.raises(OperationalError) as refused:
        recorder.insert_events([stored(size=100_000)])
    assert getattr(refused.value.__cause__, "sqlite_errorname", "") == "SQLITE_FULL"
    recorder.limit_pages(1_000_000)
    assert recorder.insert_events([stored(size=100_000)]) == [2]


def test_a_reopened_log_goes_on_where_it_was(tmp_path: Path) -> None:
    """Position, chain and epoch survive a restart."""
    first = SQLiteLogRecorder(tmp_path / "events.db")
    first.insert_events([stored(), stored()])
    tip = first.tip
    first.close()
    second = SQLiteLogRecorder(tmp_path / "events.db")
    assert second.tip == tip
    assert second.insert_events([stored()]) == [3]
    second.close()
