"""Files: those in messages, and those on their way into one."""

import sqlite3

from campfire.domain.events import (
    MessageDeleted,
    MessageScrubbed,
    RecordedEvent,
    UploadAttached,
    UploadDiscarded,
    UploadFinished,
)
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE attachments (
    id          TEXT    PRIMARY KEY,
    digest      TEXT    NOT NULL,   -- SHA-256 of the content, its name among the blobs
    name        TEXT    NOT NULL,
    media_type  TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    size        INTEGER NOT NULL,   -- bytes
    width       INTEGER,            -- pixels, of pictures
    height      INTEGER,
    animated    INTEGER NOT NULL,
    user_id     TEXT    NOT NULL,   -- who brought it
    uploaded_at INTEGER NOT NULL,
    message_id  TEXT,               -- NULL until it is in a message
    room_id     TEXT,
    position    INTEGER,            -- of its use in the log: the order within a message
    deleted_at  INTEGER             -- with its message; the row goes when the message is scrubbed
) STRICT, WITHOUT ROWID;
-- Not among the indexes that a rebuild makes last: deleting a message looks here.
CREATE INDEX attachments_of_message ON attachments (message_id, position) WHERE message_id IS NOT NULL;
CREATE INDEX attachments_of_digest ON attachments (digest);
CREATE INDEX attachments_unused ON attachments (uploaded_at) WHERE message_id IS NULL;
"""


def _finished(connection: sqlite3.Connection, event: UploadFinished, _: RecordedEvent) -> None:
    file = event.attachment
    connection.execute(
        "INSERT INTO attachments (id, digest, name, media_type, kind, size, width, height, animated, user_id,"
        " uploaded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            file.id,
            file.digest,
            file.name,
            file.media_type,
            file.kind,
            file.size,
            file.width,
            file.height,
            file.animated,
            event.user_id,
            event.at,
        ),
    )


def _attached(connection: sqlite3.Connection, event: UploadAttached, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE attachments SET message_id = ?, room_id = ?, position = ? WHERE id = ?",
        (event.message_id, event.room_id, recorded.position, event.attachment_id),
    )


def _discarded(connection: sqlite3.Connection, event: UploadDiscarded, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM attachments WHERE id = ?", (event.attachment_id,))


def _message_deleted(connection: sqlite3.Connection, event: MessageDeleted, _: RecordedEvent) -> None:
    connection.execute("UPDATE attachments SET deleted_at = ? WHERE message_id = ?", (event.at, event.message_id))


def _message_scrubbed(connection: sqlite3.Connection, event: MessageScrubbed, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM attachments WHERE message_id = ?", (event.message_id,))


PROJECTION = Projection(
    "attachments",
    1,
    ("attachments",),
    SCHEMA,
    {
        UploadFinished: each(_finished),
        UploadAttached: each(_attached),
        UploadDiscarded: each(_discarded),
        MessageDeleted: each(_message_deleted),
        MessageScrubbed: each(_message_scrubbed),
    },
)
