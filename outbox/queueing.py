"""Lines of deliveries: what waits for what. Steps of the ledger.

By an endpoint's `ordering`, the deliveries of a room (what is no room's is a line of its own), or all of the
endpoint's, are one line. Its head is the only one that may be sent (pending or sending); those behind it are queued,
and the first of them by position becomes the head when the head ends. What is parked stands beside its line. Whatever
ends or parks a delivery does so through `end`, which lets the line go on: nothing else has to think of it.

Every question here is answered by an index of few entries (heads, queued), so that a line of ten thousand costs the
endpoints that share the ledger's one writer nothing.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from outbox import loops
from outbox.planning import Planned

ONLY_THE_LATEST = "skipped: only the latest of each room was wanted"

_IS_HEAD = "state IN ('pending', 'sending') AND parked_at IS NULL"
"""As the index of heads has it: SQLite finds it only by the same words."""

_LINES = {"room": "room_id IS :room_id", "endpoint": ":room_id IS :room_id"}
"""Which deliveries of an endpoint are one line, by its ordering."""

_PROMOTE = {
    ordering: "UPDATE deliveries SET state = 'pending' WHERE id = ("
    f"SELECT id FROM deliveries WHERE endpoint_id = :endpoint_id AND {line} AND state = 'queued' AND NOT EXISTS ("
    f"SELECT 1 FROM deliveries WHERE endpoint_id = :endpoint_id AND {line} AND {_IS_HEAD}) ORDER BY position LIMIT 1)"
    for ordering, line in _LINES.items()
}
_STEP_BACK = {
    ordering: "UPDATE deliveries SET state = 'queued' WHERE id IN ("
    f"SELECT id FROM deliveries WHERE endpoint_id = :endpoint_id AND {line} AND {_IS_HEAD}) AND state = 'pending'"
    for ordering, line in _LINES.items()
}

_INSERT = f"""
INSERT OR IGNORE INTO deliveries (id, endpoint_id, position, event_type, message_id, room_id, cause,
    next_attempt_at, planned_at, sequence, state)
SELECT :id, id, :position, :event_type, :message_id, :room_id, :cause, :now, :now, sequence + 1,
    CASE ordering
        WHEN 'room' THEN CASE WHEN EXISTS (
            SELECT 1 FROM deliveries WHERE endpoint_id = :endpoint_id AND room_id IS :room_id AND {_IS_HEAD}
        ) THEN 'queued' ELSE 'pending' END
        WHEN 'endpoint' THEN CASE WHEN EXISTS (
            SELECT 1 FROM deliveries WHERE endpoint_id = :endpoint_id AND {_IS_HEAD}
        ) THEN 'queued' ELSE 'pending' END
        ELSE 'pending'
    END
FROM endpoints WHERE id = :endpoint_id
"""


def insert(connection: sqlite3.Connection, planned: Iterable[Planned], now: int) -> None:
    """Put deliveries in line, each with the next number of its endpoint's stream; those that are known are left alone.

    `now` in milliseconds, from when they may be sent. Where an endpoint wants only the latest of each room up to some
    position, an earlier one that waits makes room for it.
    """
    for each in planned:
        inserted = connection.execute(
            _INSERT,
            {
                "id": each.id,
                "endpoint_id": each.endpoint_id,
                "position": each.position,
                "event_type": each.event_type,
                "message_id": each.message_id,
                "room_id": each.room_id,
                "cause": each.cause,
                "now": now,
            },
        )
        if not inserted.rowcount:
            continue
        latest_upto = connection.execute(
            "UPDATE endpoints SET sequence = sequence + 1 WHERE id = ? RETURNING latest_upto", (each.endpoint_id,)
        ).fetchone()[0]
        loops.mark(connection, each, now)
        if latest_upto is not None and each.position <= latest_upto:
            _make_room_for(connection, each, now)


def end(connection: sqlite3.Connection, update: str, parameters: Sequence[Any]) -> int:
    """Run an UPDATE of deliveries that ends them, or parks them, and let those that waited for them go on.

    Return how many there were.
    """
    rows = connection.execute(f"{update} RETURNING endpoint_id, room_id", parameters).fetchall()
    for endpoint_id, room_id in dict.fromkeys(rows):
        promote(connection, endpoint_id, room_id)
    return len(rows)


def promote(connection: sqlite3.Connection, endpoint_id: str, room_id: str | None) -> None:
    """Let the next of a line go on, unless its head is still under way."""
    ordering = ordering_of(connection, endpoint_id)
    if ordering in _PROMOTE:
        connection.execute(_PROMOTE[ordering], {"endpoint_id": endpoint_id, "room_id": room_id})


def cancel(connection: sqlite3.Connection, delivery_ids: Iterable[str], why: str, now: int) -> int:
    """Send these no more, on the record; `why` in words. Return how many that ended, not what had ended before.

    What is being sent is sent for the last time.
    """
    named = _json(delivery_ids)
    connection.execute(
        "UPDATE deliveries SET is_last = 1, failure = ?"
        " WHERE id IN (SELECT value FROM json_each(?)) AND state = 'sending'",
        (why, named),
    )
    return end(
        connection,
        "UPDATE deliveries SET state = 'cancelled', failure = ?, finished_at = ?"
        " WHERE id IN (SELECT value FROM json_each(?)) AND state IN ('queued', 'pending', 'dead')",
        (why, now, named),
    )


def cancel_all(connection: sqlite3.Connection, endpoint_id: str, why: str, now: int) -> None:
    """Send nothing of what waits for an endpoint, nor of its dead letters; what is being sent is for the last time."""
    cancel_waiting(connection, endpoint_id, why, now)
    connection.execute(
        "UPDATE deliveries SET state = 'cancelled', failure = ?, finished_at = ?"
        " WHERE endpoint_id = ? AND state = 'dead'",
        (why, now, endpoint_id),
    )
    connection.execute(
        "UPDATE deliveries SET is_last = 1, failure = ? WHERE endpoint_id = ? AND state = 'sending'",
        (why, endpoint_id),
    )


def cancel_waiting(connection: sqlite3.Connection, endpoint_id: str, why: str, now: int) -> None:
    """Send nothing of what waits for an endpoint."""
    # First what is behind, then the heads: nothing is promoted in between. One statement for each index.
    for state in ("queued", "pending"):
        connection.execute(
            "UPDATE deliveries SET state = 'cancelled', failure = ?, finished_at = ?"
            f" WHERE endpoint_id = ? AND state = '{state}'",
            (why, now, endpoint_id),
        )


def cancel_all_but_latest(connection: sqlite3.Connection, endpoint_id: str, why: str, now: int) -> None:
    """Of what waits for an endpoint leave the last of each room, and the last of what is no room's."""
    rows = connection.execute(
        "SELECT id FROM ("
        " SELECT id, ROW_NUMBER() OVER (PARTITION BY room_id ORDER BY position DESC) AS place FROM ("
        "  SELECT id, room_id, position FROM deliveries WHERE endpoint_id = :endpoint_id AND state = 'queued'"
        "  UNION ALL"
        "  SELECT id, room_id, position FROM deliveries WHERE endpoint_id = :endpoint_id AND state = 'pending'"
        " )) WHERE place > 1",
        {"endpoint_id": endpoint_id},
    ).fetchall()
    cancel(connection, [row[0] for row in rows], why, now)


def again(connection: sqlite3.Connection, endpoint_id: str, delivery_ids: Iterable[str], now: int) -> int:
    """Put what has ended (delivered, dead or cancelled) back in line, with a fresh schedule; return how many.

    Each stands where its position says. What is on its way is not called back.
    """
    rows = connection.execute(
        "UPDATE deliveries SET state = 'queued', round = 0, next_attempt_at = ?, finished_at = NULL, is_last = 0,"
        " first_tried_at = NULL, parked_at = NULL, failure_class = NULL, failure = NULL"
        " WHERE id IN (SELECT value FROM json_each(?)) AND +endpoint_id = ?"  # by id: it has thousands of others
        " AND state IN ('delivered', 'dead', 'cancelled') RETURNING room_id",
        (now, _json(delivery_ids), endpoint_id),
    ).fetchall()
    if ordering_of(connection, endpoint_id) not in _LINES:
        _let_all_go(connection, endpoint_id)
    for (room_id,) in dict.fromkeys(rows):
        line_up(connection, endpoint_id, room_id)
    return len(rows)


def reorder(connection: sqlite3.Connection, endpoint_id: str) -> None:
    """Make the lines anew by position, as the endpoint's ordering is by now. What is parked stays so.

    Without an ordering nothing is queued and nothing is parked.
    """
    ordering = ordering_of(connection, endpoint_id)
    if ordering not in _LINES:
        _let_all_go(connection, endpoint_id)
        connection.execute(
            "UPDATE deliveries SET parked_at = NULL WHERE endpoint_id = ? AND state IN ('pending', 'sending')"
            " AND parked_at IS NOT NULL",
            (endpoint_id,),
        )
        return
    connection.execute(
        f"UPDATE deliveries SET state = 'queued' WHERE id IN (SELECT id FROM deliveries WHERE endpoint_id = ?"
        f" AND {_IS_HEAD}) AND state = 'pending'",
        (endpoint_id,),
    )
    rooms = connection.execute(
        "SELECT DISTINCT room_id FROM deliveries WHERE endpoint_id = ? AND state = 'queued'", (endpoint_id,)
    ).fetchall()
    for (room_id,) in rooms:
        promote(connection, endpoint_id, room_id)


def ordering_of(connection: sqlite3.Connection, endpoint_id: str) -> str | None:
    """none, room or endpoint; None for an endpoint that nobody knows."""
    row = connection.execute("SELECT ordering FROM endpoints WHERE id = ?", (endpoint_id,)).fetchone()
    return None if row is None else str(row[0])


def line_up(connection: sqlite3.Connection, endpoint_id: str, room_id: str | None) -> None:
    """Let the first of a line be its head, unless the present one is on its way."""
    ordering = ordering_of(connection, endpoint_id)
    if ordering in _LINES:
        connection.execute(_STEP_BACK[ordering], {"endpoint_id": endpoint_id, "room_id": room_id})
        promote(connection, endpoint_id, room_id)


def _let_all_go(connection: sqlite3.Connection, endpoint_id: str) -> None:
    connection.execute(
        "UPDATE deliveries SET state = 'pending' WHERE endpoint_id = ? AND state = 'queued'", (endpoint_id,)
    )


def _make_room_for(connection: sqlite3.Connection, latest: Planned, now: int) -> None:
    """Only the latest of each room is wanted: at most one waits, so each that comes finds at most one."""
    for waiting in ("state = 'queued'", f"{_IS_HEAD} AND state = 'pending'"):
        end(
            connection,
            f"UPDATE deliveries SET state = 'cancelled', failure = '{ONLY_THE_LATEST}', finished_at = ?"
            f" WHERE endpoint_id = ? AND room_id IS ? AND {waiting} AND position < ?",
            (now, latest.endpoint_id, latest.room_id, latest.position),
        )


def _json(delivery_ids: Iterable[str]) -> str:
    return msgspec.json.encode(list(delivery_ids)).decode()
