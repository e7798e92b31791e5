"""The large file fetched back over HTTP, ten megabytes at a time (Range requests)."""

from benchmarks import ceilings
from benchmarks.figures import Figure, Row
from benchmarks.runs import Runs
from benchmarks.server_process import BenchmarkFailed

ROW = Row(
    name="download",
    title="one large file, in ranges",
    unit="MB/s",
    floor=118,  # a gigabit line
    aim=500,
    more_is_better=True,
)


def measure(runs: Runs) -> Figure:
    """The ceiling is the system sending a plain file through a loopback connection (sendfile), received by Python."""
    outcome, megabytes = runs.large_file, runs.effort.upload_mb
    if outcome.back is None:
        raise BenchmarkFailed("the server did not say where the file is")
    sent = ceilings.bare_send(runs.directory / "bare-file", megabytes * 1_000_000)
    return ROW.figure(
        megabytes / outcome.back.seconds,
        megabytes / sent,
        megabytes=megabytes,
        seconds=outcome.back.seconds,
        server_mib_before=outcome.before / 2**20,
        server_mib_at_most=outcome.back.highest / 2**20,
        server_mib_after=outcome.after / 2**20,
        server_cores=outcome.back.server_cores,
    )
