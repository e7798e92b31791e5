"""One large file brought over HTTP: stored by its content, durable when it is answered."""

from benchmarks import ceilings
from benchmarks.figures import Figure, Row
from benchmarks.runs import Runs

ROW = Row(
    name="upload",
    title="one large file, to the answer",
    unit="MB/s",
    floor=118,  # a gigabit line
    aim=300,
    more_is_better=True,
)


def measure(runs: Runs) -> Figure:
    """The ceiling is writing the same bytes to a plain file, with their SHA-256 and one fsync, without a socket."""
    outcome, megabytes = runs.large_file, runs.effort.upload_mb
    stored = ceilings.bare_store(runs.directory / "bare-file", megabytes * 1_000_000)
    return ROW.figure(
        megabytes / outcome.there.seconds,
        megabytes / stored,
        megabytes=megabytes,
        seconds=outcome.there.seconds,
        bare_handler_megabytes_per_second=megabytes / runs.bare_large_file.there.seconds,
        server_mib_before=outcome.before / 2**20,
        server_mib_at_most=outcome.there.highest / 2**20,
        server_mib_after=outcome.after / 2**20,
        server_cores=outcome.there.server_cores,
    )
