"""What the worker counts, for Prometheus.

Counted is what the ledger records: triggers of its own connection report what is planned, what ends and each
push as it is written, and what they reported counts once its transaction is durable. So nobody who
writes there has to remember to count, and what was rolled back never happened here either. Only attempts, and the
deliveries that they end, are counted by their one sender (`attempted`): triggers took a tenth of all time for it.
What stands in the file at a moment (`gauges.py`) is read when somebody asks.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from campfire.domain.events import RecordedEvent
from outbox.deliveries import Claimed

State = Literal["starting", "standing by", "delivering", "stopping"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_DELAYS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120, 600, 3600, 6 * 3600, 86_400)
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_REMEMBERED = 20_000
"""Events of which it is remembered when they were recorded; of an older one it is counted from its planning."""

_TRIGGERS = """
-- Each that is planned takes the next number of its endpoint; a trigger on the insertion itself would double its cost.
CREATE TEMP TRIGGER count_planned AFTER UPDATE OF sequence ON main.endpoints
BEGIN SELECT count_delivery('planned'); END;

CREATE TEMP TRIGGER count_given_up AFTER UPDATE OF state ON main.deliveries
WHEN NEW.state IN ('dead', 'cancelled') AND OLD.state <> NEW.state
BEGIN SELECT count_delivery(NEW.state); END;

CREATE TEMP TRIGGER count_push AFTER UPDATE OF state ON main.push_deliveries
WHEN NEW.state IN ('delivered', 'dropped') AND OLD.state <> NEW.state
BEGIN SELECT count_push(COALESCE(NEW.reason, NEW.state)); END;
"""


class Metrics:
    """One for a worker's process. `state` is what the worker is doing, `epoch` that of its lease."""

    def __init__(self) -> None:
        # When a counter began is a series for each, and nobody's question.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.state: State = "starting"
        self._recorded: dict[int, int] = {}
        self._reported: list[Callable[[], None]] = []
        made = self.registry
        self._deliveries = Counter(
            "campfire_outbox_deliveries",
            "Deliveries that came to be planned, and how they ended",
            ["state"],
            registry=made,
        )
        for state in ("planned", "delivered", "dead", "cancelled"):
            self._deliveries.labels(state)
        self._attempts = Counter(
            "campfire_outbox_attempts", "Attempts by what became of them", ["kind", "outcome"], registry=made
        )
        self._attempt_seconds = Histogram(
            "campfire_outbox_attempt_seconds", "How long attempts took", ["kind"], buckets=_SECONDS, registry=made
        )
        self._delays = Histogram(
            "campfire_outbox_append_to_delivered_seconds",
            "From an event's record in the log to its delivery",
            buckets=_DELAYS,
            registry=made,
        )
        self._pushes = Counter(
            "campfire_outbox_pushes", "Notifications by what became of them", ["outcome"], registry=made
        )
        self._commit_seconds = Histogram(
            "campfire_outbox_commit_seconds",
            "How long transactions took, fsync included",
            buckets=_SECONDS,
            registry=made,
        )
        self._commit_steps = Histogram(
            "campfire_outbox_commit_steps", "Steps that shared a transaction", buckets=_STEPS, registry=made
        )
        self._held = Gauge("campfire_outbox_lease_held", "1 while this worker has the outbox", registry=made)
        self._epoch = Gauge("campfire_outbox_lease_epoch", "Of the lease that this worker has or had", registry=made)

    def holds(self, epoch: int | None) -> None:
        """The lease of `epoch` is ours, or None: no longer."""
        self._held.set(0 if epoch is None else 1)
        if epoch is not None:
            self._epoch.set(epoch)

    def seen(self, events: list[RecordedEvent]) -> None:
        """Remember when these were recorded, for when they are delivered."""
        for recorded in events:
            self._recorded[recorded.position] = recorded.recorded_at
        for position in list(islice(self._recorded, max(0, len(self._recorded) - _REMEMBERED))):
            del self._recorded[position]

    def listen(self, connection: sqlite3.Connection) -> None:
        """Have everything counted that is written through this connection."""
        connection.create_function("count_delivery", 1, self._count_delivery)
        connection.create_function("count_push", 1, self._count_push)
        connection.executescript(_TRIGGERS)

    @contextmanager
    def transaction(self, steps: int) -> Iterator[None]:
        """Around one; what was reported within counts only if it was committed."""
        self._reported.clear()
        began = time.perf_counter()
        yield
        self._commit_seconds.observe(time.perf_counter() - began)
        self._commit_steps.observe(steps)
        for count in self._reported:
            count()

    def attempted(self, claimed: Claimed, failure_class: str | None, *, began: int, now: int) -> None:
        """An attempt is on record. Times in milliseconds."""
        kind = claimed.destination.kind
        self._attempts.labels(kind, failure_class or "delivered").inc()
        self._attempt_seconds.labels(kind).observe(max(0, now - began) / 1000)
        if failure_class is None:
            self._deliveries.labels("delivered").inc()
            if claimed.cause != "history":
                self._delays.observe(max(0, now - self._recorded.get(claimed.position, claimed.planned_at)) / 1000)

    def _count_delivery(self, state: str) -> None:
        self._reported.append(self._deliveries.labels(state).inc)

    def _count_push(self, outcome: str) -> None:
        self._reported.append(self._pushes.labels(outcome).inc)
