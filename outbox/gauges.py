"""What stands in `outbox.db` and the log at the moment that somebody asks for metrics, read-only."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from campfire.clock import Clock
from campfire.config import Settings
from campfire.errors import CampfireError
from campfire.eventlog.errors import LogDamaged
from campfire.eventlog.reader import LogReader
from outbox.breaker import Breaker
from outbox.queries import rows_of

MOST_ENDPOINTS = 1_000
"""With figures of their own, the oldest first; the others are in the sums only."""

_BREAKER = {"closed": 0, "half-open": 1, "open": 2}

ENDPOINTS = """
SELECT id, kind, sequence, failures, opened_at,
    (SELECT COUNT(*) FROM deliveries WHERE endpoint_id = endpoints.id AND state = 'pending'),
    (SELECT COUNT(*) FROM deliveries WHERE endpoint_id = endpoints.id AND state = 'queued'),
    (SELECT COUNT(*) FROM deliveries WHERE endpoint_id = endpoints.id AND state = 'sending'),
    (SELECT COUNT(*) FROM deliveries WHERE endpoint_id = endpoints.id AND state = 'pending' AND parked_at IS NOT NULL),
    (SELECT COUNT(*) FROM deliveries WHERE endpoint_id = endpoints.id AND state = 'dead'),
    MIN(
        COALESCE((SELECT MIN(planned_at) FROM deliveries WHERE endpoint_id = endpoints.id AND state = 'pending'), ?),
        COALESCE((SELECT MIN(planned_at) FROM deliveries WHERE endpoint_id = endpoints.id AND state = 'queued'), ?),
        COALESCE((SELECT MIN(planned_at) FROM deliveries WHERE endpoint_id = endpoints.id AND state = 'sending'), ?)
    )
FROM endpoints LEFT JOIN breakers ON breakers.endpoint_id = endpoints.id
WHERE endpoints.state <> 'deleted' ORDER BY created_position
"""
WAITING_ANSWERS = "SELECT COUNT(*) FROM answers WHERE state = 'waiting'"
CURSOR = "SELECT position FROM cursor"

log = structlog.get_logger()


class EndpointGauges(NamedTuple):
    """One endpoint as of now. `oldest_at` in milliseconds: when the oldest was planned that has not arrived."""

    id: str
    kind: str
    planned: int
    failures: int | None
    opened_at: int | None
    waiting: int
    queued: int
    sending: int
    parked: int
    dead: int
    oldest_at: int


class Gauges(Collector):
    """Reads both files for each collection. What cannot be read is left out and said in the log."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._outbox: Path = settings.outbox_path
        self._events: Path = settings.events_path
        self._open_ms = round(settings.webhook_breaker_seconds * 1000)
        self._clock = clock

    def describe(self) -> list[Metric]:
        """Nothing: to be registered must not read the files."""
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            yield from self._of_the_log()
            yield from self._of_endpoints()
            [[waiting]] = rows_of(self._outbox, WAITING_ANSWERS) or [[0]]
            yield _gauge("answers_waiting", "Answers of bots that the server has not taken yet", waiting)
        except (CampfireError, LogDamaged, OSError) as error:
            log.warning("metrics_incomplete", error=str(error))

    def _of_the_log(self) -> Iterator[Metric]:
        [[position]] = rows_of(self._outbox, CURSOR) or [[0]]
        reader = LogReader(self._events)
        try:
            tip = reader.tip().position
            next_at = reader.recorded_at(position + 1) if tip > position else None
        finally:
            reader.close()
        seconds = 0.0 if next_at is None else max(0, self._clock.now_ms() - next_at) / 1000
        yield _gauge("position", "How far the log has been turned into deliveries", position)
        yield _gauge("lag_events", "Events in the log that have not been", max(0, tip - position))
        yield _gauge("lag_seconds", "Age of the first of them", seconds)

    def _of_endpoints(self) -> Iterator[Metric]:
        now = self._clock.now_ms()
        found = [EndpointGauges(*row) for row in rows_of(self._outbox, ENDPOINTS, (now, now, now))]
        shown = found[:MOST_ENDPOINTS]
        yield _gauge("endpoints", "Webhooks and bots that there are", len(found))
        yield _gauge("endpoints_not_shown", "Of these, without figures of their own", len(found) - len(shown))
        yield _gauge("waiting", "Deliveries that wait for their time", sum(each.waiting for each in found))
        yield _gauge("queued", "Deliveries that wait for an earlier one", sum(each.queued for each in found))
        yield _gauge("sending", "Deliveries on their way", sum(each.sending for each in found))
        yield _gauge("parked", "Waiting deliveries that nothing waits for any more", sum(each.parked for each in found))
        yield _gauge("dead", "Dead letters", sum(each.dead for each in found))
        oldest = min((each.oldest_at for each in found), default=now)
        yield _gauge("oldest_pending_seconds", "Age of the oldest delivery that has not arrived", _age(oldest, now))
        yield from self._each(shown, now)

    def _each(self, shown: list[EndpointGauges], now: int) -> Iterator[Metric]:
        labels = ["endpoint", "kind"]
        planned = CounterMetricFamily("campfire_outbox_endpoint_planned", "Of its stream", labels=labels)
        for each in shown:
            planned.add_metric([each.id, each.kind], each.planned)
        yield planned
        for name, what, figure in (
            (
                "lag_events",
                "Events for it that have not arrived",
                lambda each: each.waiting + each.queued + each.sending,
            ),
            ("lag_seconds", "Age of the oldest of them", lambda each: _age(each.oldest_at, now)),
            ("waiting", "Deliveries that wait for their time", lambda each: each.waiting),
            ("queued", "Deliveries that wait for an earlier one", lambda each: each.queued),
            ("parked", "Waiting deliveries that nothing waits for any more", lambda each: each.parked),
            ("dead", "Dead letters", lambda each: each.dead),
            ("breaker", "0 closed, 1 half-open, 2 open", lambda each: self._breaker(each, now)),
        ):
            family = GaugeMetricFamily(f"campfire_outbox_endpoint_{name}", what, labels=labels)
            for each in shown:
                family.add_metric([each.id, each.kind], figure(each))
            yield family

    def _breaker(self, each: EndpointGauges, now: int) -> int:
        return _BREAKER[Breaker(each.failures or 0, each.opened_at).state(now, self._open_ms)]


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"campfire_outbox_{name}", what, value=value)


def _age(at: int, now: int) -> float:
    return max(0, now - at) / 1000
