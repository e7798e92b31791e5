"""What bots answered, kept until the server has taken it: steps of the ledger."""

import sqlite3

import msgspec

from outbox.sender import Answer


class WaitingAnswer(msgspec.Struct, frozen=True):
    """An answer to be posted. `id` is the same however often it is handed over; a file has a name."""

    id: str
    bot_id: str
    message_id: str
    file_name: str | None
    body: bytes
    answered_at: int


def keep(connection: sqlite3.Connection, delivery_id: str, attempt: int, answer: Answer, now: int) -> None:
    """Keep what an attempt was answered with, unless the message that it answers is deleted by now.

    An attempt has one answer: a call that is made again after a crash has left none, a replay is a new attempt.
    """
    connection.execute(
        "INSERT OR IGNORE INTO answers (id, delivery_id, bot_id, message_id, file_name, body, answered_at)"
        " SELECT id || '/' || ?, id, endpoint_id, message_id, ?, ?, ? FROM deliveries WHERE id = ? AND NOT withdrawn",
        (attempt, answer.file_name, answer.body, now, delivery_id),
    )


def finish(connection: sqlite3.Connection, answer_id: str, now: int, dropped: str | None = None) -> None:
    """The server has taken the answer, or `dropped` says why nobody will; what it said is not kept."""
    connection.execute(
        "UPDATE answers SET state = ?, reason = ?, body = NULL, finished_at = ? WHERE id = ? AND state = 'waiting'",
        ("posted" if dropped is None else "dropped", dropped, now, answer_id),
    )


def forget_those_to(connection: sqlite3.Connection, message_id: str, now: int) -> None:
    """Post nothing more in answer to a message that is deleted."""
    connection.execute(
        "UPDATE answers SET state = 'dropped', reason = 'the message was deleted', body = NULL, finished_at = ?"
        " WHERE state = 'waiting' AND delivery_id IN (SELECT id FROM deliveries WHERE message_id = ?)",
        (now, message_id),
    )


NEXT_WAITING = (
    "SELECT id, bot_id, message_id, file_name, body, answered_at FROM answers"
    " WHERE state = 'waiting' AND (answered_at, id) > (?, ?) ORDER BY answered_at, id LIMIT 1"
)
"""The oldest that waits after one that was looked at; one at a time, since a file is large."""
