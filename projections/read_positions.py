"""How far each person has read each room; unread counts are counted from here."""

import sqlite3

from campfire.domain.events import ReadPositionMoved, RecordedEvent
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE read_positions (
    room_id  TEXT    NOT NULL,
    user_id  TEXT    NOT NULL,
    position INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (user_id, room_id)
) STRICT, WITHOUT ROWID;
"""


def _moved(connection: sqlite3.Connection, event: ReadPositionMoved, _: RecordedEvent) -> None:
    connection.execute(
        "INSERT INTO read_positions (room_id, user_id, position, at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (user_id, room_id) DO UPDATE SET position = excluded.position, at = excluded.at"
        " WHERE excluded.position > position",
        (event.room_id, event.user_id, event.position, event.at),
    )


PROJECTION = Projection("read_positions", 1, ("read_positions",), SCHEMA, {ReadPositionMoved: each(_moved)})
