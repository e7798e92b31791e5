"""What of that which piled up an endpoint is still told: everything, the latest of each room, or nothing.

Asked when a paused or disabled endpoint is resumed, and when one that failed for a quarter of an hour or longer takes
its first delivery again. Steps of the ledger.
"""

import sqlite3

from campfire.domain.events.webhooks import CatchUp
from outbox import parking, queueing

OUTAGE_MS = 15 * 60 * 1000
"""Of nothing but failures, after which an endpoint's own catch-up policy says what it is still told."""

_SKIPPED = "skipped: nothing of what had piled up was wanted"
_MOST_HELD = 2_000
"""Waiting deliveries from which an endpoint is served although the latest of some room may not be planned yet.

So many are planned ahead at most (`catch_up.py`): to hold them any longer would be to wait for each other for ever.
"""

IS_HELD = f"""(cursor IS NOT NULL AND latest_upto IS NOT NULL AND cursor < latest_upto AND {_MOST_HELD} > (
    (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries
        WHERE endpoint_id = endpoints.id AND state = 'queued' LIMIT {_MOST_HELD}))
    + (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries
        WHERE endpoint_id = endpoints.id AND state = 'pending' LIMIT {_MOST_HELD}))))"""
"""Whether an endpoint is not yet planned up to where only the latest is wanted: until then nobody knows which it is."""


def resume(connection: sqlite3.Connection, endpoint_id: str, policy: CatchUp, position: int, now: int) -> None:
    """Let an endpoint go on, at the resumption's `position` in the log, with what `policy` leaves of what waits.

    For `latest` and `skip` that is what was planned, and what happened while it was disabled and no one planned.
    """
    want_all(connection, endpoint_id)
    if policy == "skip":
        queueing.cancel_waiting(connection, endpoint_id, _SKIPPED, now)
        connection.execute(
            "UPDATE endpoints SET cursor = NULL, leap_from = NULL, leap_to = NULL WHERE id = ?", (endpoint_id,)
        )
    elif policy == "latest":
        queueing.cancel_all_but_latest(connection, endpoint_id, queueing.ONLY_THE_LATEST, now)
        connection.execute(
            "UPDATE endpoints SET latest_upto = ? WHERE id = ? AND cursor IS NOT NULL", (position, endpoint_id)
        )
    parking.bring_back(connection, endpoint_id, now)


def want_all(connection: sqlite3.Connection, endpoint_id: str) -> None:
    """Plan every event of an endpoint, whatever was said before: its past was asked for since, or it was resumed."""
    connection.execute("UPDATE endpoints SET latest_upto = NULL WHERE id = ?", (endpoint_id,))


def note_failure(connection: sqlite3.Connection, endpoint_id: str, now: int) -> None:
    """Remember since when it has failed; not from a later moment on, if the clock was set back meanwhile."""
    connection.execute(
        "UPDATE endpoints SET failing_since = MIN(COALESCE(failing_since, :now), :now) WHERE id = :endpoint",
        {"now": now, "endpoint": endpoint_id},
    )


def note_success(connection: sqlite3.Connection, endpoint_id: str, now: int) -> None:
    """After an outage, do with what was planned up to now as the endpoint's own policy says."""
    row = connection.execute(
        "SELECT failing_since, catch_up FROM endpoints WHERE id = ? AND failing_since IS NOT NULL", (endpoint_id,)
    ).fetchone()
    if row is None:
        return
    since, policy = row
    connection.execute("UPDATE endpoints SET failing_since = NULL WHERE id = ?", (endpoint_id,))
    if now - since < OUTAGE_MS:
        return
    if policy == "skip":
        queueing.cancel_waiting(connection, endpoint_id, _SKIPPED, now)
    elif policy == "latest":
        queueing.cancel_all_but_latest(connection, endpoint_id, queueing.ONLY_THE_LATEST, now)


def is_held(connection: sqlite3.Connection, endpoint_id: str) -> bool:
    """Whether an endpoint waits until it is known which deliveries are the latest of their rooms."""
    row = connection.execute(
        f"SELECT 1 FROM endpoints WHERE id = ? AND state = 'active' AND {IS_HELD}", (endpoint_id,)
    ).fetchone()
    return row is not None
