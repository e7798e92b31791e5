import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from projections_support.history import History, a_log_of, batch_of

import projections
from campfire.eventlog.reader import LogReader
from projections.digest import digest_of
from projections.projector import Projector
from projections.rebuild import RebuildStopped, beside, rebuild_beside, swap_in
from projections.verification import compare_with_log

KILLED_IN_THE_MIDDLE = """
import os, signal, sys
from pathlib import Path
from campfire.eventlog.reader import LogReader
from projections.rebuild import rebuild_beside

def progress(done, total):
    if done < total:
        os.kill(os.getpid(), signal.SIGKILL)

rebuild_beside(LogReader(Path(sys.argv[1])), Path(sys.argv[2]), progress=progress)
"""


@pytest.fixture
def log(history: History, tmp_path: Path) -> LogReader:
    """A log of more events than a rebuild takes in one batch."""
    ada, bob = history.person("Ada"), history.person("Bob")
    room = history.room(ada, bob)
    for number in range(6_000):
        message = history.post(room, (ada, bob)[number % 2], f"message {number}")
        if number % 100 == 0:
            history.edit(room, message, f"changed {number}")
    return LogReader(a_log_of(history, tmp_path / "events.db"))


def digests_at(log: LogReader, path: Path) -> dict[str, str]:
    projector = rebuild_beside(log, path)
    digests = digest_of(projector.connection)
    projector.close()
    return digests


def test_a_stopped_rebuild_goes_on_where_it_was(log: LogReader, tmp_path: Path) -> None:
    """It ends with what an undisturbed one gives, and does not begin anew."""
    reached: list[int] = []
    with pytest.raises(RebuildStopped):
        rebuild_beside(
            log,
            tmp_path / "stopped.db",
            progress=lambda done, _: reached.append(done),
            should_stop=lambda: bool(reached),
        )
    going_on: list[int] = []
    projector = rebuild_beside(log, tmp_path / "stopped.db", progress=lambda done, _: going_on.append(done))
    assert 0 < reached[-1] < log.tip().position and min(going_on) > reached[-1]
    assert digest_of(projector.connection) == digests_at(log, tmp_path / "undisturbed.db")
    projector.close()


def test_a_killed_rebuild_goes_on_and_leaves_the_live_file_alone(
    log: LogReader, live: Path, history: History, tmp_path: Path
) -> None:
    """`kill -9` in the middle: what is served stays byte for byte, and the next run ends with the right rows."""
    projector = Projector(live)
    projector.open()
    projector.apply(batch_of(history.events[:10]))
    projector.close()
    before = live.read_bytes()
    killed = subprocess.run([sys.executable, "-c", KILLED_IN_THE_MIDDLE, tmp_path / "events.db", beside(live)])
    assert killed.returncode == -signal.SIGKILL and beside(live).exists()
    assert live.read_bytes() == before
    assert digests_at(log, beside(live)) == digests_at(log, tmp_path / "undisturbed.db")
    swap_in(beside(live), live)
    assert not compare_with_log(live, log, tmp_path / "aside.db").different
    assert not list(live.parent.glob("campfire.rebuild*"))


def test_what_another_version_left_is_not_gone_on_with(log: LogReader, tmp_path: Path) -> None:
    """Rows made by other code may mean something else."""
    older = [replace(each, version=0, handlers={}) for each in projections.ALL]
    rebuild_beside(log, tmp_path / "half.db", upto=2_000, all_projections=older).close()
    assert digests_at(log, tmp_path / "half.db") == digests_at(log, tmp_path / "undisturbed.db")


def test_what_belongs_to_another_log_is_not_gone_on_with(log: LogReader, tmp_path: Path) -> None:
    """The chain at its position tells, though the position fits."""
    other = History()
    other.room(other.person("Eve"))
    foreign = LogReader(a_log_of(other, tmp_path / "other.db"))
    rebuild_beside(foreign, tmp_path / "half.db").close()
    foreign.close()
    assert digests_at(log, tmp_path / "half.db") == digests_at(log, tmp_path / "undisturbed.db")


def test_a_torn_rebuild_is_begun_anew(log: LogReader, tmp_path: Path) -> None:
    """It was written without syncing; a power cut may have left anything."""
    half = tmp_path / "half.db"
    rebuild_beside(log, half, upto=4_000).close()
    content = bytearray(half.read_bytes())
    content[4096 * 3 : 4096 * 20] = os.urandom(4096 * 17)
    half.write_bytes(content)
    assert digests_at(log, half) == digests_at(log, tmp_path / "undisturbed.db")


def test_the_read_models_can_be_made_as_of_any_position(log: LogReader, history: History, tmp_path: Path) -> None:
    """A rebuild up to a position holds what a live one held there."""
    projector = Projector(tmp_path / "then.db")
    projector.open()
    projector.apply(batch_of(history.events[:3_333]))
    then = digest_of(projector.connection)
    projector.close()
    past = rebuild_beside(log, tmp_path / "past.db", upto=3_333)
    assert digest_of(past.connection) == then
    past.close()
