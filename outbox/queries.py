"""Looking into the outbox from outside, read-only: for health, for the API, for the command line."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from campfire.errors import CampfireError
from campfire.eventlog.witness import Witness


def witness_of(path: Path) -> Witness | None:
    """What the outbox remembers of the log; None if it has not run yet. Raises `OUTBOX_UNREADABLE`, as all here."""
    rows = rows_of(path, "SELECT position, chain FROM cursor WHERE position > 0")
    return Witness(path.name, rows[0][0], rows[0][1]) if rows else None


def rows_of(path: Path, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
    """All rows of one statement; none if the worker has not made the file or the table yet."""
    with looking_into(path) as look:
        return look.rows(statement, parameters)


class Look:
    """The outbox at one moment: whatever is asked of it, the answers fit together. See `looking_into`."""

    def __init__(self, path: Path, connection: sqlite3.Connection | None) -> None:
        self._path = path
        self._connection = connection

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of one statement; none if the worker has not made the file or the table yet."""
        if self._connection is None:
            return []
        try:
            return self._connection.execute(statement, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            if _is_in_the_making(error):
                return []
            raise _unreadable(self._path, error) from error


@contextmanager
def looking_into(path: Path) -> Iterator[Look]:
    """One read transaction, from the first statement on. Short, please: the worker cannot empty its WAL meanwhile."""
    if not path.exists():
        yield Look(path, None)
        return
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.DatabaseError as error:
        raise _unreadable(path, error) from error
    with contextlib.closing(connection):
        connection.execute("BEGIN")  # touches no file yet
        yield Look(path, connection)


def _is_in_the_making(error: sqlite3.DatabaseError) -> bool:
    """Whether the worker is just making the file, or bringing it up to date: then there is nothing in it to tell of.

    A journal that only a writer may roll back is what is left if it was killed in the middle of that, and only then:
    a file that was made has a WAL instead. The next worker rolls it back and makes the file anew.
    """
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_ROLLBACK:
        return True
    return isinstance(error, sqlite3.OperationalError) and str(error).startswith(("no such table", "no such column"))


def _unreadable(path: Path, error: sqlite3.DatabaseError) -> CampfireError:
    return CampfireError("OUTBOX_UNREADABLE", f"{path} cannot be read: {error}.")
