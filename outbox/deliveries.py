"""Claiming deliveries, and recording what became of them: steps of the ledger."""

import msgspec

from outbox.breaker import Breaker
from outbox.ledger import Ledger
from outbox.sender import Outcome


class Claimed(msgspec.Struct, frozen=True):
    """A delivery that is being sent, durably marked so. `round` counts attempts since planned or replayed."""

    id: str
    payload: bytes
    attempts: int
    round: int


class Destination(msgspec.Struct, frozen=True):
    """An endpoint as a sender needs it."""

    url: str
    sealed_secret: str
    previous_sealed_secret: str | None
    previous_valid_until: int | None
    concurrency: int


async def take_back(ledger: Ledger, now: int) -> None:
    """After a crash: what was being sent may or may not have arrived, so it is sent again, with the same id."""
    await ledger.rows(
        "UPDATE deliveries SET state = 'pending', next_attempt_at = ?, failure = 'interrupted by a restart'"
        " WHERE state = 'sending'",
        (now,),
    )
    await ledger.rows(
        "UPDATE deliveries SET state = 'cancelled', payload = NULL, finished_at = ?"
        " WHERE state = 'pending' AND withdrawn",
        (now,),
    )


async def destination(ledger: Ledger, endpoint_id: str) -> Destination | None:
    """Where an active endpoint is; None if it has been disabled or deleted."""
    rows = await ledger.rows(
        "SELECT url, sealed_secret, previous_sealed_secret, previous_valid_until, concurrency FROM endpoints"
        " WHERE id = ? AND state = 'active'",
        (endpoint_id,),
    )
    return Destination(*rows[0]) if rows else None


async def claim(ledger: Ledger, endpoint_id: str, now: int) -> Claimed | None:
    """Mark the endpoint's oldest due delivery as being sent, and count the attempt."""
    rows = await ledger.rows(
        "UPDATE deliveries SET state = 'sending', attempts = attempts + 1, round = round + 1 WHERE id ="
        " (SELECT id FROM deliveries WHERE endpoint_id = ? AND state = 'pending' AND next_attempt_at <= ?"
        "  ORDER BY next_attempt_at, position LIMIT 1)"
        " RETURNING id, payload, attempts, round",
        (endpoint_id, now),
    )
    return Claimed(*rows[0]) if rows else None


async def next_due(ledger: Ledger, endpoint_id: str) -> int | None:
    """When the endpoint's next delivery is due (milliseconds), None if nothing waits."""
    rows = await ledger.rows(
        "SELECT MIN(next_attempt_at) FROM deliveries WHERE endpoint_id = ? AND state = 'pending'", (endpoint_id,)
    )
    return None if rows[0][0] is None else int(rows[0][0])


async def record(
    ledger: Ledger, endpoint_id: str, claimed: Claimed, outcome: Outcome, *, began: int, now: int, wait: float | None
) -> None:
    """Write down an attempt. `wait` is seconds until the next one; None ends the delivery, dead if it failed."""
    await ledger.rows(
        "INSERT OR REPLACE INTO attempts"
        " (delivery_id, number, started_at, ended_at, failure_class, status, detail, excerpt)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            claimed.id,
            claimed.attempts,
            began,
            now,
            outcome.failure_class,
            outcome.status,
            outcome.detail,
            outcome.excerpt or None,
        ),
    )
    if outcome.failure_class is None:
        await ledger.rows(
            "UPDATE deliveries SET state = 'delivered', payload = NULL, finished_at = ?, failure_class = NULL,"
            " failure = NULL WHERE id = ?",
            (now, claimed.id),
        )
        return
    dead = wait is None
    await ledger.rows(
        "UPDATE deliveries SET state = ?, finished_at = ?, next_attempt_at = ?, failure_class = ?, failure = ?"
        " WHERE id = ?",
        (
            "dead" if dead else "pending",
            now if dead else None,
            now + round((wait or 0) * 1000),
            outcome.failure_class,
            outcome.detail,
            claimed.id,
        ),
    )
    await _cancel_if_withdrawn(ledger, claimed.id, now)


async def disable(ledger: Ledger, endpoint_id: str, reason: str) -> None:
    """Send nothing more to an endpoint; what waits for it stays."""
    await ledger.rows(
        "UPDATE endpoints SET state = 'disabled', disabled_reason = ? WHERE id = ? AND state = 'active'",
        (reason, endpoint_id),
    )


async def load_breaker(ledger: Ledger, endpoint_id: str) -> Breaker:
    rows = await ledger.rows("SELECT failures, opened_at FROM breakers WHERE endpoint_id = ?", (endpoint_id,))
    return Breaker(*rows[0]) if rows else Breaker()


async def save_breaker(ledger: Ledger, endpoint_id: str, breaker: Breaker) -> None:
    await ledger.rows(
        "INSERT OR REPLACE INTO breakers (endpoint_id, failures, opened_at) VALUES (?, ?, ?)",
        (endpoint_id, breaker.failures, breaker.opened_at),
    )


async def _cancel_if_withdrawn(ledger: Ledger, delivery_id: str, now: int) -> None:
    """Its webhook or message may have been deleted while the attempt was under way: then it was the last."""
    await ledger.rows(
        "UPDATE deliveries SET state = 'cancelled', payload = NULL, finished_at = ? WHERE id = ? AND withdrawn",
        (now, delivery_id),
    )
