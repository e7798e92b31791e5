"""Making the read models again: beside the live file, then swapped in.

A rebuild that was interrupted goes on where its own tracking says, since every batch is one
transaction; a file built by other versions or from another log is thrown away.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import projections
from campfire.eventlog.reader import LogReader
from projections.projection import Projection
from projections.projector import Progress, Projector


class RebuildStopped(Exception):
    """The rebuild was interrupted; calling it again goes on from there."""


def beside(live: Path) -> Path:
    """Where the new read models grow."""
    return live.with_name(f"{live.stem}.rebuild{live.suffix}")


def rebuild_beside(
    reader: LogReader,
    path: Path,
    *,
    upto: int | None = None,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    all_projections: Sequence[Projection] = projections.ALL,
) -> Projector:
    """Build all read models in `path` up to position `upto` (default: the tip) and return their open projector.

    Indexes come last, which is most of the speed. Nothing is synced before `finish`, which `swap_in`
    calls. Raises `RebuildStopped` when `should_stop` said so, and what reading the log raises.
    """
    projector = _open_growing(path, reader, upto, all_projections)
    try:
        projector.catch_up(reader, upto=upto, progress=progress, should_stop=should_stop)
        if should_stop is not None and should_stop():
            raise RebuildStopped
        projector.build_indexes()
        projector.catch_up(reader, upto=upto)  # what was recorded meanwhile; whoever swaps then has little left
    except BaseException:
        projector.close()
        raise
    return projector


def finish(path: Path) -> None:
    """Make a closed rebuild one durable file without a WAL beside it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    _sync(path)
    _sync(path.parent)


def swap_in(new: Path, live: Path) -> None:
    """Put a finished, closed rebuild in the place of the live file. Durable when it returns.

    The live file must have no writer. Readers that have it open go on reading the old one. A crash in
    between leaves no live file, and the rebuild to go on with, but never one file with another's WAL.
    """
    finish(new)
    discard(live)
    new.replace(live)
    _sync(live.parent)


def discard(path: Path) -> None:
    """Remove a database with what SQLite keeps beside it."""
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        name.unlink(missing_ok=True)


def _open_growing(path: Path, reader: LogReader, upto: int | None, all_projections: Sequence[Projection]) -> Projector:
    """Go on with what an interrupted rebuild left, if it is whole and belongs to this log and this code."""
    if path.exists():
        left = Projector(path, all_projections, indexed=False)
        try:
            left.open(durable=False)
            if _is_whole(left.connection) and _belongs(left, reader, upto):
                return left
            left.close()
        except sqlite3.DatabaseError:
            left.close()
    discard(path)
    projector = Projector(path, all_projections, indexed=False)
    projector.open(durable=False)
    return projector


def _is_whole(connection: sqlite3.Connection) -> bool:
    """It was written without syncing, so a power cut may have torn it; to look is cheaper than to build."""
    return bool(connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)])


def _belongs(projector: Projector, reader: LogReader, upto: int | None) -> bool:
    if projector.needs_rebuild() or projector.stalled:
        return False
    return all(
        reader.chain_at(tracked.position) == tracked.chain and (upto is None or tracked.position <= upto)
        for tracked in projector.positions().values()
    )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
