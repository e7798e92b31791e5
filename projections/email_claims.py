"""Whose an e-mail address is. Compared without regard to case."""

import sqlite3

from campfire.domain.events import EmailClaimed, EmailReleased, RecordedEvent
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE email_claims (
    email   TEXT    PRIMARY KEY,  -- folded
    user_id TEXT,                 -- NULL: free again
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


def _set(connection: sqlite3.Connection, email: str, user_id: str | None, version: int) -> None:
    connection.execute("INSERT OR REPLACE INTO email_claims VALUES (?, ?, ?)", (email.casefold(), user_id, version))


def _claimed(connection: sqlite3.Connection, event: EmailClaimed, recorded: RecordedEvent) -> None:
    _set(connection, event.email, event.user_id, recorded.version)


def _released(connection: sqlite3.Connection, event: EmailReleased, recorded: RecordedEvent) -> None:
    _set(connection, event.email, None, recorded.version)


PROJECTION = Projection(
    "email_claims",
    1,
    ("email_claims",),
    SCHEMA,
    {EmailClaimed: each(_claimed), EmailReleased: each(_released)},
)
