"""How long the slowest hundredth of those acknowledgements takes at least."""

from benchmarks.figures import Figure, Row
from benchmarks.runs import Runs

ROW = Row(
    name="durable_p99",
    title="p99 of that acknowledgement",
    unit="ms",
    floor=50,
    aim=15,
    more_is_better=False,
)


def measure(runs: Runs) -> Figure:
    """The ceiling adds up the p99s of a bare handler under the same senders and of a bare commit of the same size."""
    posting, bare = runs.posting, runs.bare_posting
    commits = runs.bare_commits(posting.batch, posting.states)
    return ROW.figure(
        posting.sent.p99_ms,
        bare.p99_ms + commits.p99_ms,
        max_ms=posting.sent.max_ms,
        events_per_commit=posting.batch,
        bare_handler_p99_ms=bare.p99_ms,
        bare_commit_p99_ms=commits.p99_ms,
        generator_cores=posting.sent.generator_cores,
        server_cores=posting.sent.server_cores,
    )
