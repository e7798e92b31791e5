"""What each person keeps for themselves."""

import sqlite3

from campfire.domain.events import MessageDeleted, MessageSaved, MessageUnsaved, RecordedEvent
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE saved_messages (
    user_id    TEXT    NOT NULL,
    message_id TEXT    NOT NULL,
    position   INTEGER NOT NULL,  -- of the saving in the log
    saved_at   INTEGER NOT NULL,
    PRIMARY KEY (user_id, message_id)
) STRICT, WITHOUT ROWID;
-- Not among the indexes that a rebuild makes last: deleting a message looks here.
CREATE INDEX saved_messages_of_message ON saved_messages (message_id);
"""
INDEXES = "CREATE INDEX IF NOT EXISTS saved_messages_by_time ON saved_messages (user_id, position);"


def _saved(connection: sqlite3.Connection, event: MessageSaved, recorded: RecordedEvent) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO saved_messages (user_id, message_id, position, saved_at) VALUES (?, ?, ?, ?)",
        (event.user_id, event.message_id, recorded.position, event.at),
    )


def _unsaved(connection: sqlite3.Connection, event: MessageUnsaved, _: RecordedEvent) -> None:
    connection.execute(
        "DELETE FROM saved_messages WHERE user_id = ? AND message_id = ?", (event.user_id, event.message_id)
    )


def _message_deleted(connection: sqlite3.Connection, event: MessageDeleted, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM saved_messages WHERE message_id = ?", (event.message_id,))


PROJECTION = Projection(
    "saved_messages",
    1,
    ("saved_messages",),
    SCHEMA,
    {MessageSaved: each(_saved), MessageUnsaved: each(_unsaved), MessageDeleted: each(_message_deleted)},
    INDEXES,
)
