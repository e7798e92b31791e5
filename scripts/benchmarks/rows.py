"""All rows, in the order of the table."""

from collections.abc import Callable

from benchmarks import (
    connection_memory,
    download,
    durable_messages,
    durable_p99,
    fanout_deliveries,
    fanout_p99,
    outbox_deliveries,
    outbox_isolation,
    outbox_latency,
    outbox_push,
    read,
    replay,
    single_sender_p50,
    upload,
    upload_memory,
    verify,
)
from benchmarks.figures import Figure, Row
from benchmarks.runs import Runs

_MODULES = (
    durable_messages,
    durable_p99,
    single_sender_p50,
    fanout_deliveries,
    fanout_p99,
    connection_memory,
    replay,
    verify,
    read,
    upload,
    download,
    upload_memory,
    outbox_deliveries,
    outbox_latency,
    outbox_isolation,
    outbox_push,
)

ROWS: dict[str, tuple[Row, Callable[[Runs], Figure]]] = {
    module.ROW.name: (module.ROW, module.measure) for module in _MODULES
}

GROUPS: dict[str, tuple[str, ...]] = {"outbox": tuple(name for name in ROWS if name.startswith("outbox_"))}
"""Rows that are asked for together."""
