"""Reading a chat of many years: rooms, pages, threads and searches."""

from benchmarks.figures import Figure, Row
from benchmarks.runs import Runs

ROW = Row(
    name="read",
    title="the slowest kind of reading, p50",
    unit="ms",
    floor=30,
    aim=10,
    more_is_better=False,
)


def measure(runs: Runs) -> Figure:
    """The figure is the largest of the medians. The ceiling is an answer without a query from the same server."""
    outcome = runs.reading
    slowest = max(outcome.readings, key=lambda reading: reading.p50_ms)
    return ROW.figure(
        slowest.p50_ms,
        outcome.nothing.p50_ms,
        slowest=slowest.name,
        messages=runs.effort.messages,
        paged_back=outcome.paged,
        readings=[outcome.nothing, *outcome.readings],
    )
