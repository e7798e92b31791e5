"""What was deleted must not leave late, neither by a retry nor by a replay. Steps of the ledger."""

import sqlite3

from campfire.domain.ids import ADMINISTRATORS_ROOM
from outbox import answers, queueing
from outbox.sender import REDIRECTED


def withdraw(connection: sqlite3.Connection, message_id: str, now: int) -> None:
    """A message was deleted: whatever is sent of it from here on is a tombstone, and it calls no bot any more.

    Nor is anything kept that quotes a receiver, who may have said back what it was sent.
    """
    about = {"message": message_id, "why": DELETED, "redirected": REDIRECTED, "now": now}
    connection.execute("UPDATE deliveries SET withdrawn = 1 WHERE message_id = :message", about)
    connection.execute(
        "UPDATE deliveries SET failure = :redirected WHERE message_id = :message AND failure_class = 'redirect'", about
    )
    connection.execute(
        "UPDATE attempts SET excerpt = NULL,"
        " detail = CASE failure_class WHEN 'redirect' THEN :redirected ELSE detail END"
        " WHERE delivery_id IN (SELECT id FROM deliveries WHERE message_id = :message)",
        about,
    )
    connection.execute(
        "UPDATE deliveries SET state = 'cancelled', failure = :why, finished_at = :now"
        " WHERE message_id = :message AND cause = 'call' AND state IN ('queued', 'pending', 'dead')",
        about,
    )
    connection.execute(
        "UPDATE deliveries SET is_last = 1, failure = :why"
        " WHERE message_id = :message AND cause = 'call' AND state = 'sending'",
        about,
    )
    answers.forget_those_to(connection, message_id, now)


def close_room(connection: sqlite3.Connection, room_id: str, now: int) -> None:
    """A room was deleted: send nothing that waits, or died, of what happened there. Its messages are deleted later."""
    for (endpoint_id,) in connection.execute(_WEBHOOKS).fetchall():
        about = {"endpoint": endpoint_id, "room": room_id, "why": ROOM_DELETED, "now": now}
        if sum(connection.execute(statement, about).rowcount for statement in _CANCEL_IN_ROOM):
            queueing.reorder(connection, endpoint_id)


def cancel_unwanted(connection: sqlite3.Connection, endpoint_id: str, now: int) -> None:
    """An endpoint's events or rooms are others now: send nothing that waits, or died, and is not among them.

    By event type and room, not by the endpoint's filter: that is a wish, and these are what it may be told.
    """
    about = {"endpoint": endpoint_id, "why": UNWANTED, "now": now}
    if sum(connection.execute(statement, about).rowcount for statement in _CANCEL_UNWANTED):
        queueing.reorder(connection, endpoint_id)  # heads of lines may be among them


DELETED = "the message was deleted"
ROOM_DELETED = "the room was deleted"
UNWANTED = "the webhook's events or rooms were changed"

# As `planning.is_among` has it.
_IS_UNWANTED = f"""
endpoint_id = :endpoint AND cause IN ('live', 'history') AND NOT EXISTS (
    SELECT 1 FROM endpoints WHERE endpoints.id = :endpoint
    AND event_type IN (SELECT value FROM json_each(endpoints.events))
    AND (rooms IS NULL AND room_id IS NOT '{ADMINISTRATORS_ROOM}' OR room_id IN (SELECT value FROM json_each(rooms))))
"""
_CANCEL = "UPDATE deliveries SET state = 'cancelled', failure = :why, finished_at = :now"


def _cancelling(which: str) -> tuple[str, ...]:
    """Statements, one for each state, so that each finds its own index."""
    return (
        f"{_CANCEL} WHERE state = 'queued' AND {which}",
        f"{_CANCEL} WHERE state = 'pending' AND {which}",
        f"{_CANCEL} WHERE state = 'dead' AND {which}",
        f"UPDATE deliveries SET is_last = 1, failure = :why WHERE state = 'sending' AND {which}",
    )


_CANCEL_UNWANTED = _cancelling(_IS_UNWANTED)
_CANCEL_IN_ROOM = _cancelling("endpoint_id = :endpoint AND room_id = :room AND cause IN ('live', 'history')")
_WEBHOOKS = "SELECT id FROM endpoints WHERE kind = 'webhook' AND state <> 'deleted'"
