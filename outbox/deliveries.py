"""Claiming deliveries, and recording what became of them: steps of the ledger."""

import sqlite3

import msgspec

from outbox import answers
from outbox.breaker import Breaker
from outbox.planning import Cause
from outbox.sender import Outcome


class Destination(msgspec.Struct, frozen=True):
    """An endpoint as a sender needs it. `concurrency` is how many of its deliveries may be on their way at once.

    `kind` is webhook or bot; `number` is the position that it was made at. A bot's sealed secret is its token.
    """

    url: str
    sealed_secret: str
    previous_sealed_secret: str | None
    previous_valid_until: int | None
    concurrency: int
    kind: str
    number: int


class Claimed(msgspec.Struct, frozen=True):
    """A delivery that is being sent, durably marked so. `round` counts attempts since planned or replayed.

    `previous_id` is of the one before it in the endpoint's stream, None for the first. `withdrawn`: its message was
    deleted.
    """

    id: str
    endpoint_id: str
    position: int
    sequence: int
    previous_id: str | None
    event_type: str
    message_id: str | None
    room_id: str | None
    withdrawn: bool
    cause: Cause
    attempts: int
    round: int
    destination: Destination


def take_back(connection: sqlite3.Connection, now: int) -> None:
    """After a crash: what was being sent may or may not have arrived, so it is sent again, with the same id."""
    connection.execute(
        "UPDATE deliveries SET state = 'pending', next_attempt_at = ?, failure = 'interrupted by a restart'"
        " WHERE state = 'sending'",
        (now,),
    )
    connection.execute(
        "UPDATE deliveries SET state = 'cancelled', is_last = 0, finished_at = ? WHERE state = 'pending' AND is_last",
        (now,),
    )


def destination(connection: sqlite3.Connection, endpoint_id: str) -> Destination | None:
    """Where an active endpoint is; None if it has been disabled or deleted."""
    row = connection.execute(
        "SELECT url, sealed_secret, previous_sealed_secret, previous_valid_until, concurrency, kind,"
        " created_position FROM endpoints WHERE id = ? AND state = 'active'",
        (endpoint_id,),
    ).fetchone()
    return Destination(*row) if row else None


def claim(connection: sqlite3.Connection, endpoint_id: str, now: int) -> Claimed | None:
    """Mark the endpoint's oldest due delivery as being sent, and count the attempt; None if there is none to send.

    The endpoint is looked at in the same transaction: one that was deleted just now gets nothing more.
    """
    place = destination(connection, endpoint_id)
    if place is None:
        return None
    row = connection.execute(
        "UPDATE deliveries SET state = 'sending', attempts = attempts + 1, round = round + 1 WHERE id ="
        " (SELECT id FROM deliveries WHERE endpoint_id = ? AND state = 'pending' AND next_attempt_at <= ?"
        "  ORDER BY next_attempt_at, position LIMIT 1)"
        " RETURNING id, position, sequence, event_type, message_id, room_id, withdrawn, cause, attempts, round",
        (endpoint_id, now),
    ).fetchone()
    if row is None:
        return None
    delivery_id, position, sequence, event_type, message_id, room_id, withdrawn, cause, attempts, round_ = row
    return Claimed(
        id=delivery_id,
        endpoint_id=endpoint_id,
        position=position,
        sequence=sequence,
        previous_id=_previous_id(connection, endpoint_id, sequence),
        event_type=event_type,
        message_id=message_id,
        room_id=room_id,
        withdrawn=bool(withdrawn),
        cause=cause,
        attempts=attempts,
        round=round_,
        destination=place,
    )


def _previous_id(connection: sqlite3.Connection, endpoint_id: str, sequence: int) -> str | None:
    row = connection.execute(
        "SELECT id FROM deliveries WHERE endpoint_id = ? AND sequence = ?", (endpoint_id, sequence - 1)
    ).fetchone()
    return None if row is None else str(row[0])


def next_due(connection: sqlite3.Connection, endpoint_id: str) -> int | None:
    """When the endpoint's next delivery is due (milliseconds), None if nothing waits that may be sent."""
    if destination(connection, endpoint_id) is None:
        return None
    [due] = connection.execute(
        "SELECT MIN(next_attempt_at) FROM deliveries WHERE endpoint_id = ? AND state = 'pending'", (endpoint_id,)
    ).fetchone()
    return None if due is None else int(due)


def record(
    connection: sqlite3.Connection, claimed: Claimed, outcome: Outcome, *, began: int, now: int, wait: float | None
) -> None:
    """Write down an attempt, and keep what a bot answered.

    `wait` is seconds until the next one; None ends the delivery, dead if it failed.
    """
    if outcome.answer is not None:
        answers.keep(connection, claimed.id, claimed.attempts, outcome.answer, now)
    connection.execute(
        "INSERT OR REPLACE INTO attempts"
        " (delivery_id, number, started_at, ended_at, failure_class, status, detail, excerpt)"
        # A receiver may have said back what it was sent, of a message that is deleted by now.
        " SELECT id, ?, ?, ?, ?, ?, ?, CASE withdrawn WHEN 0 THEN ? END FROM deliveries WHERE id = ?",
        (
            claimed.attempts,
            began,
            now,
            outcome.failure_class,
            outcome.status,
            outcome.detail,
            outcome.excerpt or None,
            claimed.id,
        ),
    )
    if outcome.failure_class is None:
        connection.execute(
            "UPDATE deliveries SET state = 'delivered', is_last = 0, finished_at = ?, failure_class = NULL,"
            " failure = NULL WHERE id = ?",
            (now, claimed.id),
        )
        return
    dead = wait is None
    connection.execute(
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
    _cancel_if_last(connection, claimed.id, now)


def disable(connection: sqlite3.Connection, endpoint_id: str, reason: str) -> None:
    """Send nothing more to an endpoint; what waits for it stays."""
    connection.execute(
        "UPDATE endpoints SET state = 'disabled', disabled_reason = ? WHERE id = ? AND state = 'active'",
        (reason, endpoint_id),
    )


def cancel_all(connection: sqlite3.Connection, endpoint_id: str, why: str, now: int) -> None:
    """Send nothing of what waits for an endpoint; what is being sent is sent for the last time."""
    connection.execute(
        "UPDATE deliveries SET state = 'cancelled', failure = ?, finished_at = ?"
        " WHERE endpoint_id = ? AND state IN ('queued', 'pending', 'dead')",
        (why, now, endpoint_id),
    )
    connection.execute("UPDATE deliveries SET is_last = 1 WHERE endpoint_id = ? AND state = 'sending'", (endpoint_id,))


def load_breaker(connection: sqlite3.Connection, endpoint_id: str) -> Breaker:
    row = connection.execute(
        "SELECT failures, opened_at FROM breakers WHERE endpoint_id = ?", (endpoint_id,)
    ).fetchone()
    return Breaker(*row) if row else Breaker()


def save_breaker(connection: sqlite3.Connection, endpoint_id: str, breaker: Breaker) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO breakers (endpoint_id, failures, opened_at) VALUES (?, ?, ?)",
        (endpoint_id, breaker.failures, breaker.opened_at),
    )


def _cancel_if_last(connection: sqlite3.Connection, delivery_id: str, now: int) -> None:
    """It may have been cancelled while the attempt was under way: then that was the last."""
    connection.execute(
        "UPDATE deliveries SET state = 'cancelled', is_last = 0, finished_at = ? WHERE id = ? AND is_last",
        (now, delivery_id),
    )
