"""From sending a message to the last member's receipt, at a steady ten messages a second."""

from benchmarks.figures import Figure, Row
from benchmarks.runs import Runs

ROW = Row(
    name="fanout_p99",
    title="p99 from send to last receipt, all members, 10 messages/s",
    unit="ms",
    floor=150,
    aim=27,
    more_is_better=False,
)


def measure(runs: Runs) -> Figure:
    """The ceiling is the same on a bare aiohttp loop, without disk or read models."""
    room, bare = runs.paced_room, runs.bare_room("paced")
    return ROW.figure(
        room.last_receipt_p99_ms,
        bare.last_receipt_p99_ms,
        members=runs.effort.members,
        last_receipt_p50_ms=room.last_receipt_p50_ms,
        every_receipt_p99_ms=room.receipt_p99_ms,
        bare_last_receipt_p50_ms=bare.last_receipt_p50_ms,
        generator_cores=room.generator_cores,
        server_cores=room.server_cores,
    )
