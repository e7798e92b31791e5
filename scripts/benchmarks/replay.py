"""Rebuilding every read model from the log, the search index included."""

import sqlite3
import time

from benchmarks import ceilings
from benchmarks.figures import Figure, Row
from benchmarks.runs import Runs
from campfire.eventlog.reader import LogReader
from projections.rebuild import rebuild_beside

ROW = Row(
    name="replay",
    title="replay into all read models, search included",
    unit="events/s",
    floor=25_000,
    aim=60_000,
    more_is_better=True,
)


def measure(runs: Runs) -> Figure:
    """The ceiling is reading and decoding the same log into nothing."""
    events_path = runs.filled_chat.data / "events.db"
    ceiling = ceilings.bare_read(events_path)
    reader = LogReader(events_path)
    count = reader.tip().position
    path = runs.directory / "rebuilt.db"
    began = time.perf_counter()
    rebuild_beside(reader, path).close()
    elapsed = time.perf_counter() - began
    reader.close()
    path.unlink()
    return ROW.figure(count / elapsed, ceiling, events=count, seconds=elapsed, sqlite=sqlite3.sqlite_version)
