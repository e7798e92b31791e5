"""Parking: what has failed for a quarter of an hour holds its line up no longer. Steps of the ledger.

A parked delivery goes on by its own schedule, and those behind it go past. The hole is marked on both sides: what is
sent past it names the missing (`campfire-missing`), and the parked one says that it is late (`campfire-late`). These
are hints: what proves the order is the sequence in the signed body.
"""

import sqlite3

from outbox import queueing

PARK_AFTER_MS = 15 * 60 * 1000
"""Since the first attempt of this round."""

_MOST_NAMED = 20
_IS_PARKED = "state IN ('pending', 'sending') AND parked_at IS NOT NULL"
_OVERDUE = "state = 'pending' AND parked_at IS NULL AND first_tried_at <= ?"


def park_overdue(connection: sqlite3.Connection, endpoint_id: str, ordering: str, now: int) -> None:
    """Park the heads of an endpoint's lines that have failed for too long.

    Not one whose next attempt is due: after a worker's or a clock's absence it has a chance first.
    """
    due = next_parking(connection, endpoint_id, ordering)
    if due is None or due > now:  # a question costs a tenth of an update that changes nothing
        return
    queueing.end(
        connection,
        f"UPDATE deliveries SET parked_at = ? WHERE endpoint_id = ? AND {_OVERDUE} AND next_attempt_at > ?",
        (now, endpoint_id, now - PARK_AFTER_MS, now),
    )


def next_parking(connection: sqlite3.Connection, endpoint_id: str, ordering: str) -> int | None:
    """When the next head is to be parked if it is not delivered before (milliseconds); None if none has failed."""
    if ordering == "none":
        return None
    [first] = connection.execute(
        "SELECT MIN(first_tried_at) FROM deliveries WHERE endpoint_id = ? AND state = 'pending'"
        " AND parked_at IS NULL AND first_tried_at IS NOT NULL",
        (endpoint_id,),
    ).fetchone()
    return None if first is None else int(first) + PARK_AFTER_MS


def missing_before(
    connection: sqlite3.Connection, endpoint_id: str, ordering: str, room_id: str | None, sequence: int
) -> tuple[int, ...]:
    """The sequences of parked deliveries that a delivery is sent past, the first of them."""
    if ordering == "none":
        return ()
    rows = connection.execute(
        f"SELECT sequence FROM deliveries WHERE endpoint_id = ? AND {_IS_PARKED} AND sequence < ?"
        " AND (? = 'endpoint' OR room_id IS ?) ORDER BY sequence LIMIT ?",
        (endpoint_id, sequence, ordering, room_id, _MOST_NAMED),
    ).fetchall()
    return tuple(row[0] for row in rows)


def bring_back(connection: sqlite3.Connection, endpoint_id: str, now: int) -> None:
    """Try at once what has failed, and in its place of the line, as though it had never been tried."""
    changed = connection.execute(
        f"UPDATE deliveries SET parked_at = NULL WHERE endpoint_id = ? AND {_IS_PARKED}", (endpoint_id,)
    )
    connection.execute(
        "UPDATE deliveries SET first_tried_at = NULL, next_attempt_at = MIN(next_attempt_at, ?)"
        " WHERE endpoint_id = ? AND state = 'pending'",
        (now, endpoint_id),
    )
    if changed.rowcount:
        queueing.reorder(connection, endpoint_id)


def headers_of(missing: tuple[int, ...], *, is_late: bool) -> dict[str, str]:
    """What a receiver is told of a hole."""
    told = {"campfire-missing": ",".join(str(each) for each in missing)} if missing else {}
    return {**told, "campfire-late": "true"} if is_late else told
