"""Who is mentioned where; unread mentions are counted from here."""

import sqlite3
from collections.abc import Iterable

from campfire.domain.events import Mention, MessageDeleted, MessageEdited, MessagePosted, RecordedEvent
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE mentions (
    message_id TEXT    NOT NULL,
    start      INTEGER NOT NULL,  -- characters into the body
    user_id    TEXT    NOT NULL,
    end        INTEGER NOT NULL,
    room_id    TEXT    NOT NULL,
    position   INTEGER NOT NULL,  -- of the message's posting
    PRIMARY KEY (message_id, start, user_id)
) STRICT, WITHOUT ROWID;
"""
INDEXES = "CREATE INDEX IF NOT EXISTS mentions_of_user ON mentions (user_id, room_id, position);"


def _posted(connection: sqlite3.Connection, event: MessagePosted, recorded: RecordedEvent) -> None:
    if event.mentions:
        _insert(connection, event.message_id, event.room_id, recorded.position, event.mentions)


def _edited(connection: sqlite3.Connection, event: MessageEdited, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM mentions WHERE message_id = ?", (event.message_id,))
    if event.mentions:
        [(position,)] = connection.execute("SELECT position FROM messages WHERE id = ?", (event.message_id,)).fetchall()
        _insert(connection, event.message_id, event.room_id, position, event.mentions)


def _deleted(connection: sqlite3.Connection, event: MessageDeleted, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM mentions WHERE message_id = ?", (event.message_id,))


def _insert(
    connection: sqlite3.Connection, message_id: str, room_id: str, position: int, mentions: Iterable[Mention]
) -> None:
    connection.executemany(
        "INSERT INTO mentions (message_id, start, user_id, end, room_id, position) VALUES (?, ?, ?, ?, ?, ?)",
        [(message_id, each.start, each.user_id, each.end, room_id, position) for each in mentions],
    )


PROJECTION = Projection(
    "mentions",
    1,
    ("mentions",),
    SCHEMA,
    {MessagePosted: each(_posted), MessageEdited: each(_edited), MessageDeleted: each(_deleted)},
    INDEXES,
)
