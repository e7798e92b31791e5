"""Looking into the outbox from outside, read-only: for health, for the API, for the command line."""

import sqlite3
from collections.abc import Sequence
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
    if not path.exists():
        return []
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return connection.execute(statement, parameters).fetchall()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error) or "no such column" in str(error):
            return []  # the worker is just making the file, or bringing it up to date
        raise _unreadable(path, error) from error
    except sqlite3.DatabaseError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: sqlite3.DatabaseError) -> CampfireError:
    return CampfireError("OUTBOX_UNREADABLE", f"{path} cannot be read: {error}.")
