"""Messages. A room's order is (`created_at`, `position`)."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any

from campfire.domain.events import (
    MessageDeleted,
    MessageEdited,
    MessagePinned,
    MessagePosted,
    MessagePreviewed,
    MessagePreviewsRemoved,
    MessageScrubbed,
    MessageUnpinned,
    RecordedEvent,
)
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
    scrubbed_at       INTEGER,              -- since when the text is out of the log too
    client_message_id TEXT    NOT NULL,
    original_length   INTEGER,              -- characters, if the body was cut
    reply_to          TEXT,                 -- the message that this one answers
    thread_id         TEXT,                 -- the first message of the thread that this one is a reply in
    has_attachments   INTEGER NOT NULL DEFAULT 0,
    pinned_at         INTEGER,
    pinned_by         TEXT,
    without_previews  INTEGER NOT NULL DEFAULT 0,  -- somebody wants none of its links shown
    version           INTEGER NOT NULL
) STRICT;
-- Not among the indexes that a rebuild makes last: the search index looks here whether a message has replies.
CREATE INDEX messages_in_thread ON messages (thread_id, created_at, position, author_id)
    WHERE thread_id IS NOT NULL AND deleted_at IS NULL;

-- Without deleted ones: counting a million rows each time would take long.
CREATE TABLE message_counts (
    room_id  TEXT    PRIMARY KEY,
    messages INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
INDEXES = """
CREATE INDEX IF NOT EXISTS messages_in_room ON messages (room_id, created_at, position);
-- Whoever counts what is unread finds all that it takes here, without a look at each message.
CREATE INDEX IF NOT EXISTS messages_since ON messages (room_id, position, author_id) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS messages_pinned ON messages (room_id, pinned_at) WHERE pinned_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS messages_to_scrub ON messages (deleted_at)
    WHERE deleted_at IS NOT NULL AND scrubbed_at IS NULL;
"""

_POST = """
INSERT INTO messages
    (position, id, room_id, author_id, body, created_at, client_message_id, original_length, reply_to, thread_id,
     has_attachments, version)
"""


def _posted(connection: sqlite3.Connection, run: Sequence[RecordedEvent]) -> None:
    bulk_insert(connection, _POST, [_row(recorded) for recorded in run])
    # A run is of one type, which the projector sees to; most runs are of one room or a few.
    posted = Counter(recorded.event.room_id for recorded in run if isinstance(recorded.event, MessagePosted))
    connection.executemany(
        "INSERT INTO message_counts (room_id, messages) VALUES (?, ?)"
        " ON CONFLICT (room_id) DO UPDATE SET messages = messages + excluded.messages",
        posted.items(),
    )


def _row(recorded: RecordedEvent) -> tuple[Any, ...]:
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
        event.reply_to,
        event.thread_id,
        bool(event.attachments),
        recorded.version,
    )


def _edited(connection: sqlite3.Connection, event: MessageEdited, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE messages SET body = ?, edited_at = ?, original_length = ?, version = ? WHERE id = ?",
        (event.body, event.at, event.original_length, recorded.version, event.message_id),
    )


def _deleted(connection: sqlite3.Connection, event: MessageDeleted, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE message_counts SET messages = messages - 1 WHERE room_id = ?"
        " AND EXISTS (SELECT 1 FROM messages WHERE id = ? AND deleted_at IS NULL)",
        (event.room_id, event.message_id),
    )
    connection.execute(
        "UPDATE messages SET body = '', has_attachments = 0, deleted_at = ?, pinned_at = NULL, pinned_by = NULL,"
        " version = ? WHERE id = ?",
        (event.at, recorded.version, event.message_id),
    )


def _scrubbed(connection: sqlite3.Connection, event: MessageScrubbed, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE messages SET scrubbed_at = ?, version = ? WHERE id = ?",
        (event.at, recorded.version, event.message_id),
    )


def _previewed(connection: sqlite3.Connection, event: MessagePreviewed, recorded: RecordedEvent) -> None:
    connection.execute("UPDATE messages SET version = ? WHERE id = ?", (recorded.version, event.message_id))


def _previews_removed(connection: sqlite3.Connection, event: MessagePreviewsRemoved, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE messages SET without_previews = 1, version = ? WHERE id = ?", (recorded.version, event.message_id)
    )


def _pinned(connection: sqlite3.Connection, event: MessagePinned, _: RecordedEvent) -> None:
    # A pin and a deletion may have been decided side by side; what is deleted stays unpinned.
    connection.execute(
        "UPDATE messages SET pinned_at = ?, pinned_by = ? WHERE id = ? AND deleted_at IS NULL",
        (event.at, event.by, event.message_id),
    )


def _unpinned(connection: sqlite3.Connection, event: MessageUnpinned, _: RecordedEvent) -> None:
    connection.execute("UPDATE messages SET pinned_at = NULL, pinned_by = NULL WHERE id = ?", (event.message_id,))


PROJECTION = Projection(
    "messages",
    7,
    ("messages", "message_counts"),
    SCHEMA,
    {
        MessagePosted: _posted,
        MessageEdited: each(_edited),
        MessageDeleted: each(_deleted),
        MessageScrubbed: each(_scrubbed),
        MessagePreviewed: each(_previewed),
        MessagePreviewsRemoved: each(_previews_removed),
        MessagePinned: each(_pinned),
        MessageUnpinned: each(_unpinned),
    },
    INDEXES,
)
