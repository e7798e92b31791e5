import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from campfire.errors import CampfireError
from campfire.eventlog.data_lock import DataLock

HOLD = """
import sys
from pathlib import Path
from campfire.eventlog.data_lock import DataLock

with DataLock(Path(sys.argv[1]), purpose="test holder"):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> "subprocess.Popen[str]":
    """Another process that has the lock, until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "server.lock"


def test_a_second_holder_is_refused_at_once_and_told_who_the_first_is(path: Path) -> None:
    """With what it is for and its pid, so that somebody can go and look."""
    with holder(path) as first:
        with pytest.raises(CampfireError) as refused:
            DataLock(path).acquire()
        assert refused.value.code == "DATA_DIRECTORY_IN_USE"
        assert f"test holder with pid {first.pid}" in refused.value.detail
        assert str(path.parent) in refused.value.detail


def test_a_lock_excludes_others_of_the_same_process_too(path: Path) -> None:
    """Two engines in one program are two writers as well."""
    with DataLock(path), pytest.raises(CampfireError, match=f"pid {os.getpid()}"):
        DataLock(path).acquire()


def test_a_refused_attempt_takes_nothing_from_the_holder(path: Path) -> None:
    """The name in the file stays the holder's, and so does the lock."""
    with DataLock(path, purpose="first"):
        for _ in range(2):
            with pytest.raises(CampfireError, match="first with pid"):
                DataLock(path, purpose="second").acquire()


def test_a_released_lock_is_free(path: Path) -> None:
    """For whoever comes next; releasing again is nothing."""
    lock = DataLock(path)
    lock.acquire()
    lock.release()
    lock.release()
    with DataLock(path):
        pass


def test_an_error_inside_lets_the_lock_go(path: Path) -> None:
    """A start that fails blocks no other."""
    with pytest.raises(RuntimeError), DataLock(path):
        raise RuntimeError
    with DataLock(path):
        pass


def test_a_killed_holder_leaves_nothing_behind(path: Path) -> None:
    """The kernel drops the lock with the process; the name left in the file stops nobody."""
    first = holder(path)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert f"pid {first.pid}" in path.read_text()
    with DataLock(path):
        assert f"pid {os.getpid()}" in path.read_text() and f"pid {first.pid}\n" not in path.read_text()


def test_a_child_process_does_not_keep_the_lock(path: Path) -> None:
    """The outbox worker that the server starts must not hold its lock after it."""
    with DataLock(path):
        child = subprocess.Popen(
            [sys.executable, "-c", "print('up', flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            close_fds=False,
        )
        assert child.stdout is not None and child.stdout.readline() == b"up\n"
    with DataLock(path):
        child.communicate(b"\n")


def test_the_lock_file_is_for_its_owner_only(path: Path) -> None:
    """Like everything in the data directory."""
    with DataLock(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
