"""What was deleted must not leave late, neither by a retry nor by a replay. Steps of the ledger."""

import sqlite3

from outbox import answers


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
