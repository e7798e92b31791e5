"""How the outbox is: its worker, how far it has come, what waits for whom and why. Read-only, counted by indexes."""

import os
import time
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from campfire.eventlog.data_lock import holder_of
from campfire.eventlog.reader import LogReader
from outbox.breaker import Breaker
from outbox.queries import looking_into
from outbox.tenure import TENURE, Tenure, start_of

_BREAKER_MS = 60_000


class Failure(msgspec.Struct, frozen=True):
    """An attempt that failed: when (milliseconds), of what class, and a sentence."""

    at: int
    failure_class: str
    detail: str


class EndpointStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint: a webhook, or a bot, which has a name. Times and spans in milliseconds.

    `lag_events` counts the log's events from the oldest that waits for it (`oldest`, a delivery planned at
    `oldest_at`); without any, those that it has not been planned for yet. So it says how far back its receiver's
    world is, not how much there is to send. `pending` and `sending` include the `parked`; `planned` is the last
    number of its stream.
    """

    id: str
    kind: str
    name: str | None
    url: str
    state: str
    why: str | None
    planned: int
    pending: int
    queued: int
    sending: int
    parked: int
    dead: int
    lag_events: int
    lag_ms: int
    oldest: str | None
    oldest_at: int | None
    next_attempt_at: int | None
    breaker: Literal["closed", "open", "half-open"]
    breaker_until: int | None
    failures: int
    failing_since: int | None
    last_failure: Failure | None

    @property
    def waiting(self) -> int:
        """Deliveries that are neither finished nor on their way."""
        return self.pending + self.queued


class AnswersStatus(msgspec.Struct, frozen=True):
    """What bots answered: how many wait for the server, and how many could not be posted, with why of the last."""

    waiting: int = 0
    dropped: int = 0
    last_reason: str | None = None


class OutboxStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far the outbox has come, and what waits in it. `lag_ms` is since the oldest event that was not planned.

    `delivered` and `cancelled` are None where nobody asked for them: they alone cannot be counted by an index.
    """

    position: int
    tip: int
    lag_events: int
    lag_ms: int
    pending: int
    queued: int
    sending: int
    dead: int
    delivered: int | None
    cancelled: int | None
    worker_pid: int | None
    worker_alive: bool
    worker_since: int | None
    worker_epoch: int
    answers: AnswersStatus
    endpoints: list[EndpointStatus]
    standing_by: str | None = None


class _Log(msgspec.Struct, frozen=True):
    """What status wants of the log: its last position, and when some positions were recorded."""

    tip: int
    recorded_at: dict[int, int]


def outbox_status(
    path: Path, now_ms: int, *, log: Path | None = None, breaker_ms: int = _BREAKER_MS, totals: bool = True
) -> OutboxStatus | None:
    """The state of the outbox at `path` at one moment; None if it has not run yet. Raises `OUTBOX_UNREADABLE`.

    `log` is the log's path, without which nothing is told of what is not planned yet.
    """
    with looking_into(path) as look:
        cursor = look.rows("SELECT position FROM cursor")
        tenure = Tenure.of(look.rows(TENURE))
        if not cursor and tenure is None:
            return None
        rows = [_Row._make(row) for row in look.rows(_ENDPOINTS)]
        oldest = {row[0]: row[1:] for row in look.rows(_OLDEST, [_pairs(rows, "oldest")])}
        failures = {row[0]: Failure(*row[1:]) for row in look.rows(_LAST_FAILURES, [_pairs(rows, "last_failure_at")])}
        totals_found = dict(look.rows(_TOTALS)) if totals else None
        [answers] = look.rows(_ANSWERS) or [()]
    position = cursor[0][0] if cursor else 0
    is_alive = tenure is not None and not tenure.is_over(time.monotonic())
    # Only now: the log goes on meanwhile, and the outbox is never ahead of it.
    known = _log_of(log, [position, *(row.cursor for row in rows if row.cursor is not None)])
    endpoints = [
        _endpoint(row, position, known, now_ms, breaker_ms, oldest.get(row.id, (None, None)), failures.get(row.id))
        for row in rows
    ]
    counts = _counts(endpoints) if totals_found is None else totals_found
    lag_events, lag_ms = _behind(position, known, now_ms)
    return OutboxStatus(
        position=position,
        tip=max(known.tip, position),
        lag_events=lag_events,
        lag_ms=lag_ms,
        pending=counts.get("pending", 0),
        queued=counts.get("queued", 0),
        sending=counts.get("sending", 0),
        dead=counts.get("dead", 0),
        delivered=counts.get("delivered", 0) if totals else None,
        cancelled=counts.get("cancelled", 0) if totals else None,
        worker_pid=None if tenure is None else tenure.pid,
        worker_alive=is_alive,
        worker_since=_started_at(tenure.pid) if tenure is not None and is_alive else None,
        worker_epoch=0 if tenure is None else tenure.epoch,
        answers=AnswersStatus(*answers),
        endpoints=[each for each in endpoints if each.state != "deleted"],
        standing_by=holder_of(path.with_name("outbox.lock")),
    )


class _Row(NamedTuple):
    """A row of `_ENDPOINTS`."""

    id: str
    kind: str
    name: str | None
    url: str
    state: str
    why: str | None
    planned: int
    cursor: int | None
    failing_since: int | None
    last_failure_at: int | None
    failures: int
    opened_at: int | None
    pending: int
    queued: int
    sending: int
    parked: int
    dead: int
    oldest_pending: int | None
    oldest_queued: int | None
    oldest_sending: int | None
    next_attempt_at: int | None

    @property
    def oldest(self) -> int | None:
        found = [each for each in (self.oldest_pending, self.oldest_queued, self.oldest_sending) if each is not None]
        return min(found, default=None)


# `+position`: the smallest is among the few in this state, not the first that is met in all that ever was.
_OF_ENDPOINT = "FROM deliveries WHERE endpoint_id = endpoints.id AND deliveries.state ="
_ENDPOINTS = f"""
SELECT endpoints.id, kind, name, url, endpoints.state, disabled_reason, endpoints.sequence, cursor, failing_since,
    last_failure_at, COALESCE(failures, 0), opened_at,
    (SELECT COUNT(*) {_OF_ENDPOINT} 'pending'),
    (SELECT COUNT(*) {_OF_ENDPOINT} 'queued'),
    (SELECT COUNT(*) {_OF_ENDPOINT} 'sending'),
    (SELECT COUNT(*) FROM deliveries WHERE endpoint_id = endpoints.id
        AND deliveries.state IN ('pending', 'sending') AND parked_at IS NOT NULL),
    (SELECT COUNT(*) {_OF_ENDPOINT} 'dead'),
    (SELECT MIN(+position) {_OF_ENDPOINT} 'pending'),
    (SELECT MIN(+position) {_OF_ENDPOINT} 'queued'),
    (SELECT MIN(+position) {_OF_ENDPOINT} 'sending'),
    (SELECT MIN(next_attempt_at) {_OF_ENDPOINT} 'pending')
FROM endpoints LEFT JOIN breakers ON breakers.endpoint_id = endpoints.id ORDER BY created_position
"""
_TOTALS = "SELECT state, COUNT(*) FROM deliveries GROUP BY state"
_ANSWERS = """
SELECT
    (SELECT COUNT(*) FROM answers WHERE state = 'waiting'),
    (SELECT COUNT(*) FROM answers WHERE state = 'dropped'),
    (SELECT reason FROM answers WHERE state = 'dropped' ORDER BY finished_at DESC LIMIT 1)
"""
_OLDEST = """
SELECT deliveries.endpoint_id, deliveries.id, planned_at FROM json_each(?)
JOIN deliveries ON deliveries.endpoint_id = json_each.value ->> 0 AND deliveries.position = json_each.value ->> 1
"""
_LAST_FAILURES = """
SELECT deliveries.endpoint_id, attempts.ended_at, attempts.failure_class, attempts.detail FROM json_each(?)
JOIN attempts ON attempts.ended_at = json_each.value ->> 1 AND attempts.failure_class IS NOT NULL
JOIN deliveries ON deliveries.id = attempts.delivery_id AND deliveries.endpoint_id = json_each.value ->> 0
"""


def _endpoint(
    row: _Row,
    position: int,
    known: _Log,
    now: int,
    breaker_ms: int,
    oldest: tuple[str | None, int | None],
    last_failure: Failure | None,
) -> EndpointStatus:
    delivery_id, planned_at = oldest
    lag_events, lag_ms = _behind(position if row.cursor is None else row.cursor, known, now)
    if row.oldest is not None and planned_at is not None:
        lag_events, lag_ms = max(known.tip, position) - row.oldest + 1, max(0, now - planned_at)
    breaker = Breaker(row.failures, row.opened_at)
    state = breaker.state(now, breaker_ms)
    return EndpointStatus(
        id=row.id,
        kind=row.kind,
        name=row.name,
        url=row.url,
        state=row.state,
        why=row.why if row.state == "disabled" else None,
        planned=row.planned,
        pending=row.pending,
        queued=row.queued,
        sending=row.sending,
        parked=row.parked,
        dead=row.dead,
        lag_events=lag_events,
        lag_ms=lag_ms,
        oldest=delivery_id,
        oldest_at=planned_at,
        next_attempt_at=row.next_attempt_at,
        breaker=state,
        breaker_until=breaker.opens_until(breaker_ms) if state == "open" else None,
        failures=row.failures,
        failing_since=row.failing_since,
        last_failure=last_failure,
    )


def _counts(endpoints: list[EndpointStatus]) -> dict[str, int]:
    """What is not finished, without a walk through what is."""
    return {
        state: sum(getattr(each, state) for each in endpoints) for state in ("pending", "queued", "sending", "dead")
    }


def _pairs(rows: list[_Row], of: str) -> str:
    """The endpoints with what they have of this, as the statements want them."""
    return msgspec.json.encode([(row.id, getattr(row, of)) for row in rows if getattr(row, of) is not None]).decode()


def _log_of(log: Path | None, reached: list[int]) -> _Log:
    if log is None or not log.exists():
        return _Log(0, {})
    reader = LogReader(log)
    try:
        tip = reader.tip().position
        times = {each: reader.recorded_at(each + 1) for each in set(reached)}
    finally:
        reader.close()
    return _Log(tip, {each: at for each, at in times.items() if at is not None})


def _behind(reached: int, known: _Log, now: int) -> tuple[int, int]:
    """Events and milliseconds that somebody who has reached a position is behind the log."""
    since = known.recorded_at.get(reached)
    return max(0, known.tip - reached), 0 if since is None else max(0, now - since)


def _started_at(pid: int) -> int | None:
    """When a process began, in milliseconds; None where the system does not tell."""
    started = start_of(pid)
    try:
        booted = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    except (OSError, StopIteration):
        return None
    return None if started is None else int(booted.split()[1]) * 1000 + int(started * 1000 / os.sysconf("SC_CLK_TCK"))
