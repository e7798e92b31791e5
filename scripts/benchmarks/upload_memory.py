"""What a large file costs the server in memory, on its way in and out."""

from benchmarks.figures import Figure, Row
from benchmarks.runs import Runs

ROW = Row(
    name="upload_memory",
    title="memory that a large file costs, there and back",
    unit="MiB",
    floor=64,
    aim=16,
    more_is_better=False,
)


def measure(runs: Runs) -> Figure:
    """The worst moment above the time before, after a small file. The ceiling is a bare handler that forgets it."""
    outcome, bare = runs.large_file, runs.bare_large_file
    return ROW.figure(
        outcome.growth / 2**20,
        bare.growth / 2**20,
        megabytes=runs.effort.upload_mb,
        server_mib_before=outcome.before / 2**20,
        server_mib_after=outcome.after / 2**20,
    )
