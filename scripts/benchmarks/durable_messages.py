"""Durable acknowledged messages a second over HTTP, the whole path."""

from benchmarks.figures import Figure, Row
from benchmarks.runs import Runs

ROW = Row(
    name="durable_messages",
    title="durable acknowledged messages over HTTP, many senders",
    unit="messages/s",
    floor=3_000,
    aim=8_000,
    more_is_better=True,
)


def measure(runs: Runs) -> Figure:
    """The ceiling is the lower of a bare handler's requests and a bare SQLite's events at the same commit size."""
    posting, bare, alone = runs.posting, runs.bare_posting, runs.generator_alone
    commits = runs.bare_commits(posting.batch, posting.states)
    return ROW.figure(
        posting.sent.per_second,
        min(bare.per_second, commits.per_second),
        senders=runs.effort.senders,
        p50_ms=posting.sent.p50_ms,
        events_per_commit=posting.batch,
        bare_sqlite_per_second=commits.per_second,
        bare_handler_per_second=bare.per_second,
        generator_limit_per_second=alone.per_second,
        generator_cores=posting.sent.generator_cores,
        generator_cores_on_bare_handler=bare.generator_cores,
        server_cores=posting.sent.server_cores,
    )
