"""What stands in `outbox.db` and the log at the moment that somebody asks for metrics, read-only."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from campfire.clock import Clock
from campfire.config import Settings
from campfire.errors import CampfireError
from campfire.eventlog.errors import LogDamaged
from outbox.status import EndpointStatus, OutboxStatus, outbox_status

MOST_ENDPOINTS = 1_000
"""With figures of their own, the oldest first; the others are in the sums only."""

_BREAKER = {"closed": 0, "half-open": 1, "open": 2}

log = structlog.get_logger()


class Gauges(Collector):
    """Reads both files for each collection. If one cannot be read, nothing is told of them but in our log."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._outbox: Path = settings.outbox_path
        self._events: Path = settings.events_path
        self._open_ms = round(settings.webhook_breaker_seconds * 1000)
        self._clock = clock

    def describe(self) -> list[Metric]:
        """Nothing: to be registered must not read the files."""
        return []

    def collect(self) -> Iterator[Metric]:
        now = self._clock.now_ms()
        try:
            status = outbox_status(self._outbox, now, log=self._events, breaker_ms=self._open_ms, totals=False)
        except (CampfireError, LogDamaged, OSError) as error:
            log.warning("metrics_incomplete", error=str(error))
            return
        if status is not None:
            yield from _sums(status, now)
            yield from _each(status.endpoints[:MOST_ENDPOINTS])


def _sums(status: OutboxStatus, now: int) -> Iterator[Metric]:
    found = status.endpoints
    oldest = min((each.oldest_at for each in found if each.oldest_at is not None), default=now)
    for name, what, value in (
        ("position", "How far the log has been turned into deliveries", status.position),
        ("lag_events", "Events in the log that have not been", status.lag_events),
        ("lag_seconds", "Age of the first of them", status.lag_ms / 1000),
        ("endpoints", "Webhooks and bots that there are", len(found)),
        ("endpoints_not_shown", "Of these, without figures of their own", max(0, len(found) - MOST_ENDPOINTS)),
        ("waiting", "Deliveries that wait for their time", status.pending),
        ("queued", "Deliveries that wait for an earlier one", status.queued),
        ("sending", "Deliveries on their way", status.sending),
        ("parked", "Deliveries that nothing waits for any more", sum(each.parked for each in found)),
        ("dead", "Dead letters", status.dead),
        ("oldest_pending_seconds", "Age of the oldest delivery that has not arrived", max(0, now - oldest) / 1000),
        ("answers_waiting", "Answers of bots that the server has not taken yet", status.answers.waiting),
    ):
        yield GaugeMetricFamily(f"campfire_outbox_{name}", what, value=value)


_FIGURES: tuple[tuple[str, str, Callable[[EndpointStatus], float]], ...] = (
    ("lag_events", "Events in the log from the oldest on that waits for it", lambda each: each.lag_events),
    ("lag_seconds", "Age of that one", lambda each: each.lag_ms / 1000),
    ("waiting", "Deliveries that wait for their time", lambda each: each.pending),
    ("queued", "Deliveries that wait for an earlier one", lambda each: each.queued),
    ("parked", "Deliveries that nothing waits for any more", lambda each: each.parked),
    ("dead", "Dead letters", lambda each: each.dead),
    ("breaker", "0 closed, 1 half-open, 2 open", lambda each: _BREAKER[each.breaker]),
)


def _each(shown: Sequence[EndpointStatus]) -> Iterator[Metric]:
    """The same figures as `campfire-outbox status` has for each endpoint."""
    labels = ["endpoint", "kind"]
    planned = CounterMetricFamily("campfire_outbox_endpoint_planned", "Of its stream", labels=labels)
    for each in shown:
        planned.add_metric([each.id, each.kind], each.planned)
    yield planned
    for name, what, figure in _FIGURES:
        family = GaugeMetricFamily(f"campfire_outbox_endpoint_{name}", what, labels=labels)
        for each in shown:
            family.add_metric([each.id, each.kind], figure(each))
        yield family
