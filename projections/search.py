"""The full-text index over message bodies; a row's id is the position of the posting.

It keeps its own copy of the text: an index over `messages` itself would have to be told every old
text word for word to forget it, and a mistake there would leave deleted words findable.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

from campfire.domain.events import MessageDeleted, MessageEdited, MessagePosted, RecordedEvent
from projections.projection import Projection, each

SCHEMA = """
CREATE VIRTUAL TABLE message_search USING fts5 (body, tokenize = "unicode61 remove_diacritics 2");
"""


def _posted(connection: sqlite3.Connection, run: Sequence[Any]) -> None:
    connection.executemany(
        "INSERT INTO message_search (rowid, body) VALUES (?, ?)",
        [(recorded.position, recorded.event.body) for recorded in run],
    )


def _edited(connection: sqlite3.Connection, event: MessageEdited, _: RecordedEvent) -> None:
    connection.execute(
        "UPDATE message_search SET body = ? WHERE rowid = ?", (event.body, _position(connection, event.message_id))
    )


def _deleted(connection: sqlite3.Connection, event: MessageDeleted, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM message_search WHERE rowid = ?", (_position(connection, event.message_id),))


def _position(connection: sqlite3.Connection, message_id: str) -> int:
    row = connection.execute("SELECT position FROM messages WHERE id = ?", (message_id,)).fetchone()
    if row is None:
        raise LookupError(f"message {message_id} is not among the messages")
    return int(row[0])


PROJECTION = Projection(
    "search",
    1,
    ("message_search",),
    SCHEMA,
    {MessagePosted: _posted, MessageEdited: each(_edited), MessageDeleted: each(_deleted)},
)
