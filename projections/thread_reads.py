"""How far each person has read each thread."""

import sqlite3

from campfire.domain.events import RecordedEvent, ThreadRead
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE thread_reads (
    thread_id TEXT    NOT NULL,
    user_id   TEXT    NOT NULL,
    position  INTEGER NOT NULL,
    PRIMARY KEY (thread_id, user_id)
) STRICT, WITHOUT ROWID;
"""


def _read(connection: sqlite3.Connection, event: ThreadRead, _: RecordedEvent) -> None:
    connection.execute(
        "INSERT INTO thread_reads (thread_id, user_id, position) VALUES (?, ?, ?)"
        " ON CONFLICT (thread_id, user_id) DO UPDATE SET position = excluded.position"
        " WHERE excluded.position > position",
        (event.thread_id, event.user_id, event.position),
    )


PROJECTION = Projection("thread_reads", 1, ("thread_reads",), SCHEMA, {ThreadRead: each(_read)})
