"""What the links in messages lead to."""

import sqlite3

from campfire.domain.events import (
    MessageDeleted,
    MessageEdited,
    MessagePreviewed,
    MessagePreviewsRemoved,
    RecordedEvent,
)
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE link_previews (
    id          TEXT    PRIMARY KEY,
    message_id  TEXT    NOT NULL,
    room_id     TEXT    NOT NULL,
    place       INTEGER NOT NULL,  -- among those of its message, from 0
    link        TEXT    NOT NULL,  -- as the message has it
    url         TEXT    NOT NULL,  -- where the page says that it lives
    title       TEXT    NOT NULL,
    description TEXT    NOT NULL,
    site_name   TEXT    NOT NULL,
    digest      TEXT,              -- SHA-256 of its picture, its name among the blobs
    width       INTEGER,           -- pixels
    height      INTEGER
) STRICT, WITHOUT ROWID;
-- Not among the indexes that a rebuild makes last: editing or deleting a message looks here.
CREATE INDEX link_previews_of_message ON link_previews (message_id, place);
CREATE INDEX link_previews_of_digest ON link_previews (digest) WHERE digest IS NOT NULL;
"""


def _previewed(connection: sqlite3.Connection, event: MessagePreviewed, _: RecordedEvent) -> None:
    _forget(connection, event.message_id)
    connection.executemany(
        "INSERT INTO link_previews (id, message_id, room_id, place, link, url, title, description, site_name,"
        " digest, width, height) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                preview.id,
                event.message_id,
                event.room_id,
                place,
                preview.link,
                preview.url,
                preview.title,
                preview.description,
                preview.site_name,
                preview.image and preview.image.digest,
                preview.image and preview.image.width,
                preview.image and preview.image.height,
            )
            for place, preview in enumerate(event.previews)
        ],
    )


def _edited(connection: sqlite3.Connection, event: MessageEdited, _: RecordedEvent) -> None:
    # At once, whatever becomes of fetching the links that are there now.
    connection.execute(
        "DELETE FROM link_previews WHERE message_id = ? AND instr(?, link) = 0", (event.message_id, event.body)
    )


def _removed(connection: sqlite3.Connection, event: MessageDeleted | MessagePreviewsRemoved, _: RecordedEvent) -> None:
    _forget(connection, event.message_id)


def _forget(connection: sqlite3.Connection, message_id: str) -> None:
    connection.execute("DELETE FROM link_previews WHERE message_id = ?", (message_id,))


PROJECTION = Projection(
    "link_previews",
    1,
    ("link_previews",),
    SCHEMA,
    {
        MessagePreviewed: each(_previewed),
        MessagePreviewsRemoved: each(_removed),
        MessageEdited: each(_edited),
        MessageDeleted: each(_removed),
    },
)
