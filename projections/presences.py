"""Who has which room open."""

import sqlite3

from campfire.domain.events import MemberRemoved, PresenceEntered, PresenceLeft, PresenceReset, RecordedEvent
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE presences (
    room_id TEXT    NOT NULL,
    user_id TEXT    NOT NULL,
    since   INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;
"""


def _entered(connection: sqlite3.Connection, event: PresenceEntered, _: RecordedEvent) -> None:
    connection.execute("INSERT OR IGNORE INTO presences VALUES (?, ?, ?)", (event.room_id, event.user_id, event.at))


def _left(connection: sqlite3.Connection, event: PresenceLeft | MemberRemoved, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM presences WHERE room_id = ? AND user_id = ?", (event.room_id, event.user_id))


def _reset(connection: sqlite3.Connection, _event: PresenceReset, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM presences")


PROJECTION = Projection(
    "presences",
    1,
    ("presences",),
    SCHEMA,
    {
        PresenceEntered: each(_entered),
        PresenceLeft: each(_left),
        MemberRemoved: each(_left),
        PresenceReset: each(_reset),
    },
)
