"""Looking into the outbox while somebody writes there, and while it is being made."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from outbox_support.half_made import leave_half_made
from outbox_support.lines import Lines

from campfire.errors import CampfireError
from outbox.push.queries import push_status
from outbox.queries import looking_into, rows_of, witness_of
from outbox.status import outbox_status


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def lines(path: Path) -> Iterator[Lines]:
    """An outbox with one endpoint, to which one delivery waits."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    lines = Lines(path)
    lines.add_endpoint("e", ordering="none")
    lines.plan("e", "r")
    lines.connection.execute("INSERT INTO cursor (id, position, chain, epoch) VALUES (1, 1, x'00', 'e')")
    yield lines
    lines.connection.close()


def test_what_is_asked_in_one_look_is_of_one_moment(path: Path, lines: Lines) -> None:
    """However much is written in between."""
    with looking_into(path) as look:
        before = look.rows("SELECT state FROM deliveries")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("UPDATE deliveries SET state = 'dead'")
        assert look.rows("SELECT state FROM deliveries") == before == [("pending",)]
    assert rows_of(path, "SELECT state FROM deliveries") == [("dead",)]


def test_all_numbers_of_the_status_are_of_one_moment(path: Path, lines: Lines) -> None:
    """A delivery that changes hands all the time is in one of them, always."""
    stopping = threading.Event()

    def change_hands() -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
            while not stopping.is_set():
                for state in ("sending", "dead", "pending"):
                    writer.execute("UPDATE deliveries SET state = ?", (state,))

    changing = threading.Thread(target=change_hands)
    changing.start()
    try:
        for _ in range(300):
            status = outbox_status(path, 0)
            assert status is not None
            [endpoint] = status.endpoints
            told = (endpoint.pending, endpoint.sending, endpoint.dead)
            assert sum(told) == 1 and told == (status.pending, status.sending, status.dead)
            assert (endpoint.oldest is None) == (endpoint.dead == 1)
    finally:
        stopping.set()
        changing.join()


def test_a_file_that_a_kill_left_half_made_is_as_though_no_worker_had_run(path: Path) -> None:
    """The next worker makes it; until then there is nothing to tell, and nothing is broken."""
    leave_half_made(path)
    assert outbox_status(path, 0) is None
    assert witness_of(path) is None
    assert push_status(path).waiting == 0


def test_a_file_that_is_none_of_ours_is_unreadable(path: Path) -> None:
    """Nobody takes that for an outbox that has not begun."""
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(CampfireError) as refused:
        outbox_status(path, 0)
    assert refused.value.code == "OUTBOX_UNREADABLE"
