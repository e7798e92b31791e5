"""Who is, or was, a member of which room."""

import sqlite3

from campfire.domain.events import InvolvementSet, MemberAdded, MemberRemoved, RecordedEvent, RoomCreated
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE memberships (
    room_id        TEXT    NOT NULL,
    user_id        TEXT    NOT NULL,
    since          INTEGER NOT NULL,
    since_position INTEGER NOT NULL,  -- what was posted before does not count as unread
    ended_at       INTEGER,
    involvement    TEXT,              -- as chosen; NULL is what the room's kind begins with
    version        INTEGER NOT NULL,  -- of the membership's stream; 0 while the room's creation is all there is
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;
"""
INDEXES = "CREATE INDEX IF NOT EXISTS memberships_of_user ON memberships (user_id) WHERE ended_at IS NULL;"

_ADD = """
INSERT INTO memberships (room_id, user_id, since, since_position, version) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (room_id, user_id) DO UPDATE
SET since = excluded.since, since_position = excluded.since_position, ended_at = NULL,
    version = MAX(version, excluded.version)  -- a direct room that comes back does not begin its memberships anew
"""


def _room_created(connection: sqlite3.Connection, event: RoomCreated, recorded: RecordedEvent) -> None:
    connection.executemany(
        _ADD, [(event.room_id, user_id, event.at, recorded.position, 0) for user_id in event.members]
    )


def _added(connection: sqlite3.Connection, event: MemberAdded, recorded: RecordedEvent) -> None:
    connection.execute(_ADD, (event.room_id, event.user_id, event.at, recorded.position, recorded.version))


def _removed(connection: sqlite3.Connection, event: MemberRemoved, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE memberships SET ended_at = ?, involvement = NULL, version = ? WHERE room_id = ? AND user_id = ?",
        (event.at, recorded.version, event.room_id, event.user_id),
    )


def _involved(connection: sqlite3.Connection, event: InvolvementSet, _: RecordedEvent) -> None:
    connection.execute(
        "UPDATE memberships SET involvement = ? WHERE room_id = ? AND user_id = ?",
        (event.involvement, event.room_id, event.user_id),
    )


PROJECTION = Projection(
    "memberships",
    2,
    ("memberships",),
    SCHEMA,
    {
        RoomCreated: each(_room_created),
        MemberAdded: each(_added),
        MemberRemoved: each(_removed),
        InvolvementSet: each(_involved),
    },
    INDEXES,
)
