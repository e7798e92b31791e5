"""Messages. A room's order is (`created_at`, `position`)."""

import sqlite3
from collections.abc import Sequence

from campfire.domain.events import MessageDeleted, MessageEdited, MessagePosted, RecordedEvent
from campfire.eventlog.bulk_insert import bulk_insert
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE messages (
    position          INTEGER PRIMARY KEY,  -- of the posting in the log
    id                TEXT    NOT NULL UNIQUE,
    room_id           TEXT    NOT NULL,
    author_id         TEXT    NOT NULL,
    body              TEXT    NOT NULL,     -- empty once deleted
    created_at        INTEGER NOT NULL,
    edited_at         INTEGER,
    deleted_at        INTEGER,
    client_message_id TEXT    NOT NULL,
    original_length   INTEGER,              -- characters, if the body was cut
    version           INTEGER NOT NULL
) STRICT;
"""
INDEXES = """
CREATE INDEX IF NOT EXISTS messages_in_room ON messages (room_id, created_at, position);
CREATE INDEX IF NOT EXISTS messages_since ON messages (room_id, position);
"""

_POST = """
INSERT INTO messages
    (position, id, room_id, author_id, body, created_at, client_message_id, original_length, version)
"""


def _posted(connection: sqlite3.Connection, run: Sequence[RecordedEvent]) -> None:
    bulk_insert(connection, _POST, [_row(recorded) for recorded in run])


def _row(recorded: RecordedEvent) -> tuple[int, str, str, str, str, int, str, int | None, int]:
    event = recorded.event
    assert isinstance(event, MessagePosted)
    return (
        recorded.position,
        event.message_id,
        event.room_id,
        event.author_id,
        event.body,
        event.at,
        event.client_message_id,
        event.original_length,
        recorded.version,
    )


def _edited(connection: sqlite3.Connection, event: MessageEdited, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE messages SET body = ?, edited_at = ?, original_length = ?, version = ? WHERE id = ?",
        (event.body, event.at, event.original_length, recorded.version, event.message_id),
    )


def _deleted(connection: sqlite3.Connection, event: MessageDeleted, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE messages SET body = '', deleted_at = ?, version = ? WHERE id = ?",
        (event.at, recorded.version, event.message_id),
    )


PROJECTION = Projection(
    "messages",
    1,
    ("messages",),
    SCHEMA,
    {MessagePosted: _posted, MessageEdited: each(_edited), MessageDeleted: each(_deleted)},
    INDEXES,
)
