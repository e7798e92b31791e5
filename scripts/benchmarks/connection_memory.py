"""What one idle WebSocket connection costs the server in memory."""

from benchmarks.figures import Figure, Row
from benchmarks.runs import Runs

ROW = Row(
    name="connection_memory",
    title="memory per idle WebSocket connection",
    unit="KiB",
    floor=40,
    aim=20,
    more_is_better=False,
)


def measure(runs: Runs) -> Figure:
    """The ceiling is a bare aiohttp WebSocket. Growth of resident memory after the first connections, which warm up."""
    return ROW.figure(
        runs.idle_room.bytes_per_connection / 1024,
        runs.bare_room("idle").bytes_per_connection / 1024,
        connections=runs.effort.members,
    )
