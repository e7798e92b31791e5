"""What was deleted must not leave late, neither by a retry nor by a replay. Steps of the ledger."""

import sqlite3

from campfire.domain.ids import ADMINISTRATORS_ROOM
from outbox import answers, queueing


def withdraw(connection: sqlite3.Connection, message_id: str, now: int) -> None:
    """A message was deleted: whatever is sent of it from here on is a tombstone, and it calls no bot any more."""
    connection.execute("UPDATE deliveries SET withdrawn = 1 WHERE message_id = ?", (message_id,))
    connection.execute(
        "UPDATE deliveries SET state = 'cancelled', failure = 'the message was deleted', finished_at = ?"
        " WHERE message_id = ? AND cause = 'call' AND state IN ('queued', 'pending', 'dead')",
        (now, message_id),
    )
    connection.execute(
        "UPDATE deliveries SET is_last = 1 WHERE message_id = ? AND cause = 'call' AND state = 'sending'",
        (message_id,),
    )
    connection.execute(  # a receiver may have said back what it was sent
        "UPDATE attempts SET excerpt = NULL WHERE delivery_id IN (SELECT id FROM deliveries WHERE message_id = ?)",
        (message_id,),
    )
    answers.forget_those_to(connection, message_id, now)


def cancel_unwanted(connection: sqlite3.Connection, endpoint_id: str, now: int) -> None:
    """An endpoint's events or rooms are others now: send nothing that waits, or died, and is not among them.

    By event type and room, not by the endpoint's filter: that is a wish, and these are what it may be told.
    """
    about = {"endpoint": endpoint_id, "why": UNWANTED, "now": now}
    if sum(connection.execute(statement, about).rowcount for statement in _CANCEL_UNWANTED):
        queueing.reorder(connection, endpoint_id)  # heads of lines may be among them


UNWANTED = "the webhook's events or rooms were changed"

# As `planning.is_among` has it.
_IS_UNWANTED = f"""
endpoint_id = :endpoint AND cause IN ('live', 'history') AND NOT EXISTS (
    SELECT 1 FROM endpoints WHERE endpoints.id = :endpoint
    AND event_type IN (SELECT value FROM json_each(endpoints.events))
    AND (rooms IS NULL AND room_id IS NOT '{ADMINISTRATORS_ROOM}' OR room_id IN (SELECT value FROM json_each(rooms))))
"""
_CANCEL = "UPDATE deliveries SET state = 'cancelled', failure = :why, finished_at = :now"
# One for each state, so that each finds its own index.
_CANCEL_UNWANTED = (
    f"{_CANCEL} WHERE state = 'queued' AND {_IS_UNWANTED}",
    f"{_CANCEL} WHERE state = 'pending' AND {_IS_UNWANTED}",
    f"{_CANCEL} WHERE state = 'dead' AND {_IS_UNWANTED}",
    f"UPDATE deliveries SET is_last = 1, failure = :why WHERE state = 'sending' AND {_IS_UNWANTED}",
)
