"""Telling a damaged or unwritable `campfire.db` from an event that a projection cannot take."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNABLE = (
    *_DAMAGED,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_INTERRUPT,
)


def is_damage(error: BaseException) -> bool:
    """Whether the file is not what was written to it."""
    return _result_code(error) & 0xFF in _DAMAGED


def is_fault_of_the_file(error: BaseException) -> bool:
    """Whether SQLite could not do its work at all, rather than refuse what one projection asked of it.

    A damaged full-text index counts as the latter: it is one projection's, and the others can go on.
    """
    code = _result_code(error)
    return code & 0xFF in _UNABLE and code != sqlite3.SQLITE_CORRUPT_VTAB


def refuse_damage(connection: sqlite3.Connection, path: Path, tables: Iterable[str]) -> None:
    """Look at what costs nothing however large the file is: its length, and one row of each table.

    Raises `sqlite3.DatabaseError`.
    """
    _, in_wal, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    [pages] = connection.execute("PRAGMA page_count").fetchone()
    [page_bytes] = connection.execute("PRAGMA page_size").fetchone()
    if in_wal == moved and path.stat().st_size < pages * page_bytes:
        raise sqlite3.DatabaseError(f"{path.name} is shorter than the {pages} pages that it should have")
    for table in tables:
        connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchall()


def _result_code(error: BaseException) -> int:
    """SQLite's extended result code, 0 for an error that is not SQLite's."""
    return int(getattr(error, "sqlite_errorcode", 0))
