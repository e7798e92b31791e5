"""How far each projection has come, kept in the same file and the same transactions as its tables."""

import sqlite3
from collections.abc import Iterable

import msgspec

from campfire.eventlog.chain import GENESIS
from campfire.eventlog.reader import Tip
from projections.projection import Projection

SCHEMA = """
CREATE TABLE IF NOT EXISTS tracking (
    projection    TEXT    PRIMARY KEY,
    version       INTEGER NOT NULL,
    position      INTEGER NOT NULL,
    chain         BLOB,             -- the log's at that position; unknown where it stalled within a batch
    epoch         TEXT    NOT NULL,
    stalled_at    INTEGER,          -- the position of the event that it could not take, the next one
    stalled_error TEXT
) STRICT, WITHOUT ROWID;
"""


class TrackingPosition(msgspec.Struct, frozen=True):
    """How far a projection has come, and the log's chain there (None where it stalled within a batch)."""

    position: int
    chain: bytes | None


class Stalled(msgspec.Struct, frozen=True):
    """A projection that stopped before `position` because of `error`."""

    projection: str
    position: int
    error: str


class Tracked(msgspec.Struct, frozen=True):
    """What the file says about one projection."""

    projection: str
    version: int
    reached: TrackingPosition
    epoch: str
    stalled: Stalled | None


START = TrackingPosition(0, GENESIS)


def load(connection: sqlite3.Connection) -> dict[str, Tracked]:
    """What the file says about each projection, by name."""
    rows = connection.execute(
        "SELECT projection, version, position, chain, epoch, stalled_at, stalled_error FROM tracking"
    ).fetchall()
    return {
        name: Tracked(
            name,
            version,
            TrackingPosition(position, chain),
            epoch,
            None if stalled_at is None else Stalled(name, stalled_at, stalled_error),
        )
        for name, version, position, chain, epoch, stalled_at, stalled_error in rows
    }


def begin(connection: sqlite3.Connection, projection: Projection) -> None:
    """Note a projection whose tables are empty."""
    connection.execute(
        "INSERT INTO tracking (projection, version, position, chain, epoch) VALUES (?, ?, ?, ?, '')",
        (projection.name, projection.version, START.position, START.chain),
    )


def advance(connection: sqlite3.Connection, names: Iterable[str], tip: Tip) -> None:
    """Note that these projections have come to `tip`, unless they were beyond it already."""
    connection.executemany(
        "UPDATE tracking SET position = ?, chain = ?, epoch = ? WHERE projection = ? AND position < ?",
        [(tip.position, tip.chain, tip.epoch, name, tip.position) for name in names],
    )


def stall(connection: sqlite3.Connection, stalled: Stalled, reached: TrackingPosition, epoch: str) -> None:
    """Note that a projection stopped, having come to `reached`."""
    connection.execute(
        "UPDATE tracking SET position = ?, chain = ?, epoch = ?, stalled_at = ?, stalled_error = ?"
        " WHERE projection = ?",
        (reached.position, reached.chain, epoch, stalled.position, stalled.error, stalled.projection),
    )
