"""Cursors that somebody moved: what the planner learns of them, in its own transaction."""

import sqlite3

from campfire.domain.events import WebhookCursorMoved
from outbox.withdrawing import cancel_unwanted


def take(connection: sqlite3.Connection, event: WebhookCursorMoved, position: int, now: int) -> None:
    """Move an endpoint's cursor, and cancel what waits.

    `position` is the event's own: whatever comes after it is sent as it comes. The same move twice is one.
    """
    if connection.execute("SELECT 1 FROM moves WHERE id = ?", (event.move_id,)).fetchone():
        return
    after = min(event.after, position)
    until = position if event.until is None else min(event.until, position)
    moved = connection.execute(
        "UPDATE endpoints SET cursor = ?, leap_from = ?, leap_to = ?"
        " WHERE id = ? AND kind = 'webhook' AND state <> 'deleted'",
        (after, until, position, event.webhook_id),
    )
    if not moved.rowcount:
        return
    connection.execute(
        "INSERT INTO moves (id, endpoint_id, after, until, at) VALUES (?, ?, ?, ?, ?)",
        (event.move_id, event.webhook_id, after, until, event.at),
    )
    _clear_the_line(connection, event.webhook_id, after, until, now)
    cancel_unwanted(connection, event.webhook_id, now)


def _clear_the_line(connection: sqlite3.Connection, endpoint_id: str, after: int, until: int, now: int) -> None:
    """Cancel whatever waits: what is to be sent is put back in line as the cursor comes to it, in order.

    To leave it in line would send it twice, now and when the cursor comes. What is being sent is sent for the last
    time if the cursor will not come to it.
    """
    waiting = {"endpoint": endpoint_id, "why": MOVED, "now": now}
    connection.execute(f"{_CANCEL} WHERE endpoint_id = :endpoint AND state = 'pending'", waiting)
    connection.execute(f"{_CANCEL} WHERE endpoint_id = :endpoint AND state = 'queued'", waiting)
    connection.execute(
        "UPDATE deliveries SET is_last = 0 WHERE endpoint_id = ? AND state = 'sending' AND is_last", (endpoint_id,)
    )
    connection.execute(
        "UPDATE deliveries SET is_last = 1, failure = ?"
        " WHERE endpoint_id = ? AND state = 'sending' AND (position <= ? OR position > ?)",
        (MOVED, endpoint_id, after, until),
    )


MOVED = "the cursor was moved"
_CANCEL = "UPDATE deliveries SET state = 'cancelled', failure = :why, finished_at = :now"
