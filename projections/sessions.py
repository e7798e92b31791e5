"""Sessions, those that ended included."""

import sqlite3

from campfire.domain.events import RecordedEvent, SessionEnded, SessionStarted
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE sessions (
    id         TEXT    PRIMARY KEY,
    user_id    TEXT    NOT NULL,
    token_hash TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    user_agent TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    ended_at   INTEGER,
    end_reason TEXT,
    version    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
# What a start loads; ended sessions pile up over the years and must not slow it down.
INDEXES = "CREATE INDEX IF NOT EXISTS sessions_live ON sessions (id) WHERE ended_at IS NULL;"


def _started(connection: sqlite3.Connection, event: SessionStarted, recorded: RecordedEvent) -> None:
    connection.execute(
        "INSERT INTO sessions (id, user_id, token_hash, started_at, expires_at, user_agent, address, version)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            event.session_id,
            event.user_id,
            event.token_hash,
            event.at,
            event.expires_at,
            event.user_agent,
            event.address,
            recorded.version,
        ),
    )


def _ended(connection: sqlite3.Connection, event: SessionEnded, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE sessions SET ended_at = ?, end_reason = ?, version = ? WHERE id = ?",
        (event.at, event.reason, recorded.version, event.session_id),
    )


PROJECTION = Projection(
    "sessions", 1, ("sessions",), SCHEMA, {SessionStarted: each(_started), SessionEnded: each(_ended)}, INDEXES
)
