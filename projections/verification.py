"""Comparing the live read models with what the log says: rebuilt aside up to the same position, table by table."""

import sqlite3
from pathlib import Path

import msgspec

import projections
from campfire.eventlog.reader import LogReader
from projections import tracking
from projections.digest import digest_of
from projections.projector import Progress
from projections.rebuild import rebuild_beside
from projections.tracking import Tracked


class TableDigests(msgspec.Struct, frozen=True):
    """One table's digest as it is and as it should be."""

    live: str
    rebuilt: str


class Comparison(msgspec.Struct, frozen=True):
    """The read models beside the log, both at `position`."""

    position: int
    tables: dict[str, TableDigests]

    @property
    def different(self) -> list[str]:
        """The tables that are not what the log says."""
        return [table for table, digests in self.tables.items() if digests.live != digests.rebuilt]


def compare_with_log(live: Path, reader: LogReader, aside: Path, progress: Progress | None = None) -> Comparison:
    """Rebuild in the new file `aside` what the file `live` should hold, and compare.

    Reads `live` as of one moment, which a server that goes on writing does not notice. A projection
    that stopped at an event is compared as well: rebuilt, it must stop at the same one.
    Raises `sqlite3.DatabaseError` if `live` cannot be read, and what a rebuild raises.
    """
    position, digests = _as_of_one_moment(live)
    projector = rebuild_beside(reader, aside, upto=position, progress=progress)
    try:
        rebuilt = digest_of(projector.connection)
    finally:
        projector.close()
    return Comparison(position, {table: TableDigests(digests[table], rebuilt[table]) for table in rebuilt})


def what_is_tracked(live: Path) -> list[Tracked]:
    """What `live` says about each projection of this code, in their order. Raises `sqlite3.DatabaseError`."""
    connection = _open_to_read(live)
    try:
        tracked = tracking.load(connection)
    finally:
        connection.close()
    return [tracked[each.name] for each in projections.ALL if each.name in tracked]


def _as_of_one_moment(live: Path) -> tuple[int, dict[str, str]]:
    connection = _open_to_read(live)
    try:
        connection.execute("BEGIN")
        tracked = tracking.load(connection)
        return max(each.reached.position for each in tracked.values()), digest_of(connection)
    finally:
        connection.close()


def _open_to_read(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5)
