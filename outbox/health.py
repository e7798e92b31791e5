"""How endpoints are: when it is told that one fails, and when it is given up. A step of the ledger.

Only webhooks are told of or given up; a bot that fails is seen in its room.
"""

import re
import sqlite3

import msgspec

from campfire.config import Settings
from campfire.domain.events.webhooks import DisabledFor
from campfire.domain.web_addresses import address_shown
from outbox import reports
from outbox.deliveries import disable
from outbox.sender import Outcome

HOUR_MS = 3_600_000
FAILING_MS = 12 * HOUR_MS
"""Of failures without a long pause, before an endpoint is told of; so much must also lie behind it to be given up."""
LONG_PAUSE_MS = 48 * HOUR_MS
"""Between two failures: what lies before a longer one says little. Longer than the standard schedule ever waits."""

_SAID = {
    "gone": "The receiver answered 410 Gone.",
    "asked": "The receiver asked for no more deliveries (webhook-delivery: disable).",
}
_ADDRESS = re.compile(r"https?://[^\s'\"<>]*[^\s'\"<>,.;:]", re.IGNORECASE)


class Verdict(msgspec.Struct, frozen=True):
    """What an attempt led to: whether the endpoint was disabled, and whether the server is to be told of something."""

    disabled: bool = False
    reported: bool = False


class _Health(msgspec.Struct, frozen=True):
    """As `endpoints` has it. Times in milliseconds; `reported` is what the server was told last, until that is over."""

    steady_since: int | None = None
    last_failure_at: int | None = None
    reported: str | None = None


def note(connection: sqlite3.Connection, endpoint_id: str, outcome: Outcome, now: int, settings: Settings) -> Verdict:
    """Take in what became of an attempt to reach an endpoint, in the transaction that has recorded the attempt.

    Twelve hours of failing are told once an outage, and so is its end. An endpoint is disabled at once if it says so,
    and after `webhook_disable_after_days` of nothing but failures, the last twelve hours of which were tried: one
    failure before a quiet week and one after it disable nobody, nor does a clock that is set forward.
    """
    if outcome.failure_class == "expired":
        return Verdict()  # given up on our side: nobody was asked
    # Not a bot, nor who is sent nothing more: what was on its way then is nobody's news.
    row = connection.execute(
        "SELECT failing_since, steady_since, last_failure_at, reported FROM endpoints"
        " WHERE id = ? AND kind = 'webhook' AND state IN ('active', 'paused')",
        (endpoint_id,),
    ).fetchone()
    if row is None:
        return Verdict()
    since, health = now if row[0] is None else row[0], _Health(*row[1:])
    ends = outcome.ends
    if ends is not None:
        return _give_up(connection, endpoint_id, ends, _SAID[ends], since, now)
    if outcome.failure_class is None:
        return _succeeded(connection, endpoint_id, health, now)
    return _failed(connection, endpoint_id, health, outcome, since, now, settings)


def _succeeded(connection: sqlite3.Connection, endpoint_id: str, health: _Health, now: int) -> Verdict:
    if health == _Health():
        return Verdict()
    _remember(connection, endpoint_id, _Health())
    if health.reported is None:
        return Verdict()
    since = reports.last_since(connection, endpoint_id, now)
    reports.keep(connection, endpoint_id, "recovered", since=since, at=now, detail="It takes deliveries again.")
    return Verdict(reported=True)


def _failed(
    connection: sqlite3.Connection,
    endpoint_id: str,
    health: _Health,
    outcome: Outcome,
    since: int,
    now: int,
    settings: Settings,
) -> Verdict:
    steady = _steady_since(health, now, settings)
    limit_ms = round(settings.webhook_disable_after_days * 24 * HOUR_MS)
    if limit_ms and now - since >= limit_ms and now - steady >= min(FAILING_MS, limit_ms):
        days = settings.webhook_disable_after_days
        detail = f"Nothing but failures for {days:g} days; the last: {_said(outcome)}."
        return _give_up(connection, endpoint_id, "failing", detail, since, now)
    is_news = health.reported != "failing" and now - steady >= FAILING_MS
    reported = "failing" if is_news else health.reported
    _remember(connection, endpoint_id, _Health(steady, now, reported))
    if is_news:
        reports.keep(connection, endpoint_id, "failing", since=since, at=now, detail=_said(outcome))
    return Verdict(reported=is_news)


def _steady_since(health: _Health, now: int, settings: Settings) -> int:
    """Since when it has been tried and has failed without a long pause. A schedule of long waits makes none."""
    if health.steady_since is None or health.last_failure_at is None:
        return now
    longest_wait_ms = max(settings.webhook_retry_schedule, default=0) * 1_500
    pause = now - health.last_failure_at
    return now if pause > max(LONG_PAUSE_MS, longest_wait_ms) else min(health.steady_since, now)


def _give_up(
    connection: sqlite3.Connection, endpoint_id: str, reason: DisabledFor, detail: str, since: int, now: int
) -> Verdict:
    """Disable it. Since when it fails stands there until somebody resumes it; the rest is forgotten now."""
    disable(connection, endpoint_id, detail)
    _remember(connection, endpoint_id, _Health(reported="disabled"))
    reports.keep(connection, endpoint_id, "disabled", reason=reason, since=since, at=now, detail=detail)
    return Verdict(disabled=True, reported=True)


def _remember(connection: sqlite3.Connection, endpoint_id: str, health: _Health) -> None:
    connection.execute(
        "UPDATE endpoints SET steady_since = ?, last_failure_at = ?, reported = ? WHERE id = ?",
        (health.steady_since, health.last_failure_at, health.reported, endpoint_id),
    )


def _said(outcome: Outcome) -> str:
    """The failure for people to read, without what addresses in it may hide."""
    return _ADDRESS.sub(lambda found: address_shown(found[0]), outcome.detail).rstrip(".")
