"""Rooms."""

import sqlite3

from campfire.domain.events import (
    RecordedEvent,
    RoomArchived,
    RoomCreated,
    RoomDeleted,
    RoomEmptied,
    RoomKindChanged,
    RoomRenamed,
    RoomReopened,
)
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE rooms (
    id          TEXT    PRIMARY KEY,
    name        TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    created_by  TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    archived_at INTEGER,
    deleted_at  INTEGER,
    emptied     INTEGER NOT NULL DEFAULT 0,  -- of a deleted room: whether everything said there is gone by now
    position    INTEGER NOT NULL,            -- of the first creation in the log: a short number
    version     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


def _created(connection: sqlite3.Connection, event: RoomCreated, recorded: RecordedEvent) -> None:
    connection.execute(
        # A direct room that was deleted may come back; it keeps its number.
        "INSERT INTO rooms (id, name, kind, created_by, created_at, position, version) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, created_by = excluded.created_by,"
        " created_at = excluded.created_at, kind = excluded.kind, archived_at = NULL, deleted_at = NULL,"
        " emptied = 0, version = excluded.version",
        (event.room_id, event.name, event.kind, event.created_by, event.at, recorded.position, recorded.version),
    )


def _renamed(connection: sqlite3.Connection, event: RoomRenamed, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE rooms SET name = ?, version = ? WHERE id = ?", (event.name, recorded.version, event.room_id)
    )


def _archived(connection: sqlite3.Connection, event: RoomArchived, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE rooms SET archived_at = ?, version = ? WHERE id = ?", (event.at, recorded.version, event.room_id)
    )


def _reopened(connection: sqlite3.Connection, event: RoomReopened, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE rooms SET archived_at = NULL, version = ? WHERE id = ?", (recorded.version, event.room_id)
    )


def _kind_changed(connection: sqlite3.Connection, event: RoomKindChanged, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE rooms SET kind = ?, version = ? WHERE id = ?", (event.kind, recorded.version, event.room_id)
    )


def _deleted(connection: sqlite3.Connection, event: RoomDeleted, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE rooms SET deleted_at = ?, version = ? WHERE id = ?", (event.at, recorded.version, event.room_id)
    )


def _emptied(connection: sqlite3.Connection, event: RoomEmptied, recorded: RecordedEvent) -> None:
    connection.execute("UPDATE rooms SET emptied = 1, version = ? WHERE id = ?", (recorded.version, event.room_id))


PROJECTION = Projection(
    "rooms",
    3,
    ("rooms",),
    SCHEMA,
    {
        RoomCreated: each(_created),
        RoomRenamed: each(_renamed),
        RoomArchived: each(_archived),
        RoomReopened: each(_reopened),
        RoomKindChanged: each(_kind_changed),
        RoomDeleted: each(_deleted),
        RoomEmptied: each(_emptied),
    },
)
