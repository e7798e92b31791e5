"""Who is mentioned where; unread mentions are counted from here."""

import sqlite3

from campfire.domain.events import MessageDeleted, MessageEdited, MessagePosted, RecordedEvent
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE mentions (
    message_id TEXT    NOT NULL,
    start      INTEGER NOT NULL,  -- characters into the body
    user_id    TEXT    NOT NULL,
    end        INTEGER NOT NULL,
    room_id    TEXT    NOT NULL,
    position   INTEGER NOT NULL,  -- of the message's posting
    is_own     INTEGER NOT NULL,  -- somebody naming themselves, which is nothing that they have to read
    PRIMARY KEY (message_id, start, user_id)
) STRICT, WITHOUT ROWID;
"""
INDEXES = "CREATE INDEX IF NOT EXISTS mentions_of_user ON mentions (user_id, room_id, position) WHERE NOT is_own;"


def _posted(connection: sqlite3.Connection, event: MessagePosted, recorded: RecordedEvent) -> None:
    if event.mentions:
        _insert(connection, event, event.author_id, recorded.position)


def _edited(connection: sqlite3.Connection, event: MessageEdited, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM mentions WHERE message_id = ?", (event.message_id,))
    if event.mentions:
        [(author_id, position)] = connection.execute(
            "SELECT author_id, position FROM messages WHERE id = ?", (event.message_id,)
        ).fetchall()
        _insert(connection, event, author_id, position)


def _deleted(connection: sqlite3.Connection, event: MessageDeleted, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM mentions WHERE message_id = ?", (event.message_id,))


def _insert(
    connection: sqlite3.Connection, event: MessagePosted | MessageEdited, author_id: str, position: int
) -> None:
    connection.executemany(
        "INSERT INTO mentions (message_id, start, user_id, end, room_id, position, is_own)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (event.message_id, each.start, each.user_id, each.end, event.room_id, position, each.user_id == author_id)
            for each in event.mentions
        ],
    )


PROJECTION = Projection(
    "mentions",
    2,
    ("mentions",),
    SCHEMA,
    {MessagePosted: each(_posted), MessageEdited: each(_edited), MessageDeleted: each(_deleted)},
    INDEXES,
)
