"""Rooms."""

import sqlite3

from campfire.domain.events import RecordedEvent, RoomArchived, RoomCreated, RoomKindChanged, RoomRenamed, RoomReopened
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE rooms (
    id          TEXT    PRIMARY KEY,
    name        TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    created_by  TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    archived_at INTEGER,
    version     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


def _created(connection: sqlite3.Connection, event: RoomCreated, recorded: RecordedEvent) -> None:
    connection.execute(
        "INSERT INTO rooms (id, name, kind, created_by, created_at, version) VALUES (?, ?, ?, ?, ?, ?)",
        (event.room_id, event.name, event.kind, event.created_by, event.at, recorded.version),
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


PROJECTION = Projection(
    "rooms",
    2,
    ("rooms",),
    SCHEMA,
    {
        RoomCreated: each(_created),
        RoomRenamed: each(_renamed),
        RoomArchived: each(_archived),
        RoomReopened: each(_reopened),
        RoomKindChanged: each(_kind_changed),
    },
)
