"""The last searches of each person."""

import sqlite3

from campfire.domain.events import (
    RecordedEvent,
    SearchesForgotten,
    SearchRemembered,
    UserDeactivated,
    UserRemoved,
)
from campfire.domain.searches import MOST_REMEMBERED
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE searches (
    user_id  TEXT    NOT NULL,
    text     TEXT    NOT NULL,
    position INTEGER NOT NULL,  -- of the last time in the log
    PRIMARY KEY (user_id, text)
) STRICT, WITHOUT ROWID;
"""


def _remembered(connection: sqlite3.Connection, event: SearchRemembered, recorded: RecordedEvent) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO searches VALUES (?, ?, ?)", (event.user_id, event.text, recorded.position)
    )
    connection.execute(
        "DELETE FROM searches WHERE user_id = ? AND position NOT IN"
        " (SELECT position FROM searches WHERE user_id = ? ORDER BY position DESC LIMIT ?)",
        (event.user_id, event.user_id, MOST_REMEMBERED),
    )


def _forgotten(
    connection: sqlite3.Connection, event: SearchesForgotten | UserDeactivated | UserRemoved, _: RecordedEvent
) -> None:
    connection.execute("DELETE FROM searches WHERE user_id = ?", (event.user_id,))


PROJECTION = Projection(
    "searches",
    1,
    ("searches",),
    SCHEMA,
    {
        SearchRemembered: each(_remembered),
        SearchesForgotten: each(_forgotten),
        UserDeactivated: each(_forgotten),
        UserRemoved: each(_forgotten),
    },
)
