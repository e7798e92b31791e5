"""Claiming deliveries, and recording what became of them: steps of the ledger."""

import sqlite3
from collections.abc import Callable

import msgspec

from outbox import answers, backlog, parking, queueing
from outbox.breaker import Breaker
from outbox.planning import Cause
from outbox.sender import Outcome

Secret = tuple[str, int | None]
"""Sealed, and until when it signs beside a newer one (milliseconds; None for the newest)."""


class Destination(msgspec.Struct, frozen=True):
    """An endpoint as a sender needs it, as it is at this moment. `timeout` in seconds (None: the server's), `rate` in
    deliveries a second (None: no limit), `concurrency` in deliveries on their way at once.

    `kind` is webhook or bot; `number` is the position that it was made at. A bot's only secret is its token.
    """

    url: str
    secrets: tuple[Secret, ...]
    timeout: float | None
    rate: float | None
    concurrency: int
    ordering: str
    kind: str
    number: int


_HELD_MS = 500
"""After which an endpoint is looked at again that waits for all of its past to be planned."""

Permit = Callable[[Destination], bool]
"""Whether one more delivery may be sent to an endpoint now."""


class Claimed(msgspec.Struct, frozen=True):
    """A delivery that is being sent, durably marked so. `round` counts attempts since planned or replayed.

    `planned_at` in milliseconds. `previous_id` is of the one before it in the endpoint's stream, None for the first.
    `withdrawn`: its message was deleted. `missing` are the sequences of those that it is sent past; `is_late` if it
    was parked itself.
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
    hops: int
    planned_at: int
    destination: Destination
    missing: tuple[int, ...] = ()
    is_late: bool = False


def take_back(connection: sqlite3.Connection, now: int) -> None:
    """After a crash: what was being sent may or may not have arrived, so it is sent again, with the same id.

    It keeps the time that it was due at, and with it its place before what came after it.
    """
    queueing.end(
        connection,
        "UPDATE deliveries SET state = 'cancelled', is_last = 0, finished_at = ? WHERE state = 'sending' AND is_last",
        (now,),
    )
    connection.execute(
        "UPDATE deliveries SET state = 'pending', failure = 'interrupted by a restart' WHERE state = 'sending'"
    )


def destination(connection: sqlite3.Connection, endpoint_id: str) -> Destination | None:
    """Where an endpoint is that may be sent to; None if it is paused, disabled or deleted.

    Nor yet while only the latest of each room is wanted of what it still has to be told: until all of that is
    planned, nobody knows which they are.
    """
    row = connection.execute(
        "SELECT url, secrets, timeout, rate, concurrency, ordering, kind, created_position FROM endpoints"
        f" WHERE id = ? AND state = 'active' AND NOT {backlog.IS_HELD}",
        (endpoint_id,),
    ).fetchone()
    if row is None:
        return None
    url, secrets, *settings = row
    return Destination(url, _secrets(secrets), *settings)


def claim(connection: sqlite3.Connection, endpoint_id: str, now: int, permit: Permit | None = None) -> Claimed | None:
    """Mark the endpoint's oldest due delivery as being sent, and count the attempt; None if there is none to send.

    The endpoint is looked at in the same transaction: one that was deleted just now gets nothing more, and what was
    changed just now is obeyed. `permit` is asked last, once there is one to send.
    """
    place = destination(connection, endpoint_id)
    if place is None:
        return None
    parking.park_overdue(connection, endpoint_id, place.ordering, now)
    due = connection.execute(
        "SELECT id FROM deliveries WHERE endpoint_id = ? AND state = 'pending' AND next_attempt_at <= ?"
        " ORDER BY next_attempt_at, position LIMIT 1",
        (endpoint_id, now),
    ).fetchone()
    if due is None or (permit is not None and not permit(place)):
        return None
    row = connection.execute(
        "UPDATE deliveries SET state = 'sending', attempts = attempts + 1, round = round + 1,"
        " first_tried_at = COALESCE(first_tried_at, ?) WHERE id = ? RETURNING id, position, sequence, event_type,"
        " message_id, room_id, withdrawn, cause, attempts, round, parked_at, hops, planned_at",
        (now, due[0]),
    ).fetchone()
    delivery_id, position, sequence, event_type, message_id, room_id, withdrawn, cause, *rest = row
    attempts, round_, parked_at, hops, planned_at = rest
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
        hops=hops,
        planned_at=planned_at,
        destination=place,
        missing=parking.missing_before(connection, endpoint_id, place.ordering, room_id, sequence),
        is_late=parked_at is not None,
    )


_secrets = msgspec.json.Decoder(tuple[Secret, ...]).decode


def _previous_id(connection: sqlite3.Connection, endpoint_id: str, sequence: int) -> str | None:
    row = connection.execute(
        "SELECT id FROM deliveries WHERE endpoint_id = ? AND sequence = ?", (endpoint_id, sequence - 1)
    ).fetchone()
    return None if row is None else str(row[0])


def next_due(connection: sqlite3.Connection, endpoint_id: str, now: int) -> int | None:
    """When there is something to do for an endpoint (milliseconds): to send the next delivery, or to park one.

    None if nothing waits that may be sent.
    """
    place = destination(connection, endpoint_id)
    if place is None:
        return now + _HELD_MS if backlog.is_held(connection, endpoint_id) else None
    [due] = connection.execute(
        "SELECT MIN(next_attempt_at) FROM deliveries WHERE endpoint_id = ? AND state = 'pending'", (endpoint_id,)
    ).fetchone()
    if due is None:
        return None
    return min(int(due), parking.next_parking(connection, endpoint_id, place.ordering) or int(due))


def record(
    connection: sqlite3.Connection, claimed: Claimed, outcome: Outcome, *, began: int, now: int, wait: float | None
) -> None:
    """Write down an attempt, and keep what a bot answered.

    `wait` is seconds until the next one; None ends the delivery, dead if it failed.
    """
    [is_withdrawn] = connection.execute("SELECT withdrawn FROM deliveries WHERE id = ?", (claimed.id,)).fetchone()
    if is_withdrawn:
        outcome = outcome.unquoted  # it may have said back what it was sent, of a message that is deleted by now
    if outcome.answer is not None:
        answers.keep(connection, claimed.id, claimed.attempts, outcome.answer, now)
    connection.execute(
        "INSERT OR REPLACE INTO attempts"
        " (delivery_id, number, started_at, ended_at, failure_class, status, detail,"
        "  tries, peer, resolve_ms, connect_ms, first_byte_ms, body_ms, bytes_read, excerpt)"
        " VALUES (?, ?, ?, ?, ?, ?, ?,  ?, ?, ?, ?, ?, ?, ?,  ?)",
        (
            claimed.id,
            claimed.attempts,
            began,
            now,
            outcome.failure_class,
            outcome.status,
            outcome.detail,
            *msgspec.structs.astuple(outcome.timings),
            outcome.excerpt or None,
        ),
    )
    if outcome.failure_class is None:
        queueing.end(
            connection,
            "UPDATE deliveries SET state = 'delivered', is_last = 0, finished_at = ?, failure_class = NULL,"
            " failure = NULL WHERE id = ?",
            (now, claimed.id),
        )
        backlog.note_success(connection, claimed.endpoint_id, now)
    else:
        _record_failure(connection, claimed, outcome, now=now, wait=wait)
        if outcome.failure_class != "expired":  # then nobody was asked
            backlog.note_failure(connection, claimed.endpoint_id, now)


def _record_failure(
    connection: sqlite3.Connection, claimed: Claimed, outcome: Outcome, *, now: int, wait: float | None
) -> None:
    """It is tried again or dead; or cancelled, if that was wanted while the attempt was under way."""
    ended = queueing.end(
        connection,
        "UPDATE deliveries SET state = 'cancelled', is_last = 0, finished_at = ?,"
        " failure = COALESCE(failure, ?) WHERE id = ? AND is_last",
        (now, outcome.detail, claimed.id),
    )
    if ended:
        return
    if wait is None:
        queueing.end(
            connection,
            "UPDATE deliveries SET state = 'dead', finished_at = ?, failure_class = ?, failure = ? WHERE id = ?",
            (now, outcome.failure_class, outcome.detail, claimed.id),
        )
        return
    connection.execute(
        "UPDATE deliveries SET state = 'pending', next_attempt_at = ?, failure_class = ?, failure = ? WHERE id = ?",
        (now + round(wait * 1000), outcome.failure_class, outcome.detail, claimed.id),
    )
    # An earlier one may have been put back in line meanwhile.
    queueing.line_up(connection, claimed.endpoint_id, claimed.room_id)
    parking.park_overdue(connection, claimed.endpoint_id, claimed.destination.ordering, now)


def disable(connection: sqlite3.Connection, endpoint_id: str, reason: str, planned_upto: int | None = None) -> None:
    """Send nothing more to an endpoint; what waits for it stays, and what happens from here on is planned later.

    `planned_upto` is the position that it has been planned up to; None for the outbox's own cursor.
    """
    connection.execute(
        "UPDATE endpoints SET state = 'disabled', disabled_reason = ?,"
        " cursor = COALESCE(cursor, ?, (SELECT position FROM cursor), created_position)"
        " WHERE id = ? AND state IN ('active', 'paused')",
        (reason, planned_upto, endpoint_id),
    )


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
