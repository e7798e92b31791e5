"""Proving the chain of the log."""

import time

from benchmarks import ceilings
from benchmarks.figures import Figure, Row
from benchmarks.runs import Runs
from campfire.eventlog.reader import LogReader
from campfire.eventlog.verification import verify

ROW = Row(
    name="verify",
    title="verify of the chain",
    unit="events/s",
    floor=200_000,
    aim=500_000,
    more_is_better=True,
)


def measure(runs: Runs) -> Figure:
    """The ceiling is a SHA-256 chain over the same states in memory."""
    events_path = runs.filled_chat.data / "events.db"
    ceiling = ceilings.bare_chain(ceilings.stored_states(events_path, runs.effort.events))
    reader = LogReader(events_path)
    began = time.perf_counter()
    tip = verify(reader)
    elapsed = time.perf_counter() - began
    reader.close()
    return ROW.figure(tip.position / elapsed, ceiling, events=tip.position, seconds=elapsed)
