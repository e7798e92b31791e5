"""One person sends one message: how long until it is acknowledged."""

from benchmarks.figures import Figure, Row
from benchmarks.runs import Runs

ROW = Row(
    name="single_sender_p50",
    title="one sender, one message, p50",
    unit="ms",
    floor=5,
    aim=1.5,
    more_is_better=False,
)


def measure(runs: Runs) -> Figure:
    """The ceiling adds up the medians of a bare handler with one sender and of a bare commit of one event."""
    posting, bare = runs.single_posting, runs.bare_single_posting
    commits = runs.bare_commits(1, posting.states)
    return ROW.figure(
        posting.sent.p50_ms,
        bare.p50_ms + commits.p50_ms,
        p99_ms=posting.sent.p99_ms,
        messages_per_second=posting.sent.per_second,
        bare_handler_p50_ms=bare.p50_ms,
        bare_commit_p50_ms=commits.p50_ms,
        generator_cores=posting.sent.generator_cores,
        server_cores=posting.sent.server_cores,
    )
