"""WebSocket deliveries a second with everybody in one room and many senders."""

from benchmarks.figures import Figure, Row
from benchmarks.runs import Runs

ROW = Row(
    name="fanout_deliveries",
    title="WebSocket deliveries, all members in one room, many senders",
    unit="deliveries/s",
    floor=60_000,
    aim=500_000,
    more_is_better=True,
)


def measure(runs: Runs) -> Figure:
    """The ceiling is a bare aiohttp loop that joins the frames of one turn into one write to each member."""
    room, batch = runs.saturated_room
    bare = runs.bare_room("saturate")
    return ROW.figure(
        room.deliveries_per_second,
        bare.deliveries_per_second,
        members=runs.effort.members,
        messages_per_second=room.messages_per_second,
        events_per_commit=batch,
        generator_cores=room.generator_cores,
        generator_cores_on_bare_fan_out=bare.generator_cores,
        server_cores=room.server_cores,
    )
