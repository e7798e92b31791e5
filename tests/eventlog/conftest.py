from collections.abc import Iterator
from pathlib import Path

import pytest

from campfire.clock import ManualClock
from campfire.eventlog.recorder import SQLiteLogRecorder


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def recorder(tmp_path: Path, clock: ManualClock) -> Iterator[SQLiteLogRecorder]:
    recorder = SQLiteLogRecorder(tmp_path / "events.db", clock)
    yield recorder
    recorder.close()
