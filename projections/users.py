"""People and bots."""

import sqlite3

from campfire.domain.events import PasswordSet, RecordedEvent, UserCreated
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE users (
    id            TEXT    PRIMARY KEY,
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL,
    email         TEXT,
    can_sign_in   INTEGER NOT NULL,
    password_hash TEXT,
    created_at    INTEGER NOT NULL,
    version       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


def _created(connection: sqlite3.Connection, event: UserCreated, recorded: RecordedEvent) -> None:
    connection.execute(
        "INSERT INTO users (id, name, role, email, can_sign_in, created_at, version) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (event.user_id, event.name, event.role, event.email, event.can_sign_in, event.at, recorded.version),
    )


def _password_set(connection: sqlite3.Connection, event: PasswordSet, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE users SET password_hash = ?, version = ? WHERE id = ?",
        (event.password_hash, recorded.version, event.user_id),
    )


PROJECTION = Projection("users", 1, ("users",), SCHEMA, {UserCreated: each(_created), PasswordSet: each(_password_set)})
