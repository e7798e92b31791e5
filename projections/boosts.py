"""Boosts on messages."""

import sqlite3

from campfire.domain.events import BoostAdded, BoostRemoved, MessageDeleted, RecordedEvent
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE boosts (
    position   INTEGER PRIMARY KEY,  -- of the giving in the log
    id         TEXT    NOT NULL UNIQUE,
    message_id TEXT    NOT NULL,
    room_id    TEXT    NOT NULL,
    by         TEXT    NOT NULL,
    content    TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
-- Not among the indexes that a rebuild makes last: deleting a message looks here.
CREATE INDEX boosts_of_message ON boosts (message_id, position);
"""


def _added(connection: sqlite3.Connection, event: BoostAdded, recorded: RecordedEvent) -> None:
    connection.execute(
        "INSERT INTO boosts (position, id, message_id, room_id, by, content, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (recorded.position, event.boost_id, event.message_id, event.room_id, event.by, event.content, event.at),
    )


def _removed(connection: sqlite3.Connection, event: BoostRemoved, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM boosts WHERE id = ?", (event.boost_id,))


def _message_deleted(connection: sqlite3.Connection, event: MessageDeleted, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM boosts WHERE message_id = ?", (event.message_id,))


PROJECTION = Projection(
    "boosts",
    1,
    ("boosts",),
    SCHEMA,
    {BoostAdded: each(_added), BoostRemoved: each(_removed), MessageDeleted: each(_message_deleted)},
)
