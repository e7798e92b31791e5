"""People and bots."""

import sqlite3
from typing import Any

from campfire.domain.events import (
    AvatarSet,
    BotCommandsSet,
    BotKeySet,
    BotWebhookSet,
    EmailChanged,
    PasswordSet,
    ProfileChanged,
    RecordedEvent,
    RoleChanged,
    UserBanned,
    UserCreated,
    UserDeactivated,
    UserMessagesRemoved,
    UserReactivated,
    UserRemoved,
)
from projections.projection import Handler, Projection, each

SCHEMA = """
CREATE TABLE users (
    id               TEXT    PRIMARY KEY,
    name             TEXT    NOT NULL,
    role             TEXT    NOT NULL,
    email            TEXT,                        -- theirs while the claim to it stands; see email_claims
    can_sign_in      INTEGER NOT NULL,
    password_hash    TEXT,
    bio              TEXT    NOT NULL DEFAULT '',
    avatar           TEXT,                        -- digest of a blob
    status           TEXT    NOT NULL DEFAULT 'active',
    messages_removed INTEGER NOT NULL DEFAULT 0,  -- of somebody banned or removed: whether all of it is gone by now
    created_at       INTEGER NOT NULL,
    position         INTEGER NOT NULL,            -- of the creation in the log: a short number
    version          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX users_by_avatar ON users (avatar) WHERE avatar IS NOT NULL;

CREATE TABLE banned_addresses (
    address TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (user_id, address)
) STRICT, WITHOUT ROWID;
"""


def _created(connection: sqlite3.Connection, event: UserCreated, recorded: RecordedEvent) -> None:
    connection.execute(
        "INSERT INTO users (id, name, role, email, can_sign_in, created_at, position, version)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            event.user_id,
            event.name,
            event.role,
            event.email,
            event.can_sign_in,
            event.at,
            recorded.position,
            recorded.version,
        ),
    )


def _set(columns: str, *values: str) -> Handler:
    """A handler that sets `columns` (as in UPDATE) to the fields of the event named."""
    statement = f"UPDATE users SET {columns}, version = ? WHERE id = ?"

    def handle(connection: sqlite3.Connection, event: Any, recorded: RecordedEvent) -> None:
        connection.execute(statement, (*(getattr(event, name) for name in values), recorded.version, event.user_id))

    return each(handle)


def _reactivated(connection: sqlite3.Connection, event: UserReactivated, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE users SET status = 'active', messages_removed = 0, version = ? WHERE id = ?",
        (recorded.version, event.user_id),
    )
    connection.execute("DELETE FROM banned_addresses WHERE user_id = ?", (event.user_id,))


def _banned(connection: sqlite3.Connection, event: UserBanned, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE users SET status = 'banned', messages_removed = 0, version = ? WHERE id = ?",
        (recorded.version, event.user_id),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO banned_addresses (address, user_id) VALUES (?, ?)",
        [(address, event.user_id) for address in event.addresses],
    )


def _bot_event(connection: sqlite3.Connection, event: Any, recorded: RecordedEvent) -> None:
    connection.execute("UPDATE users SET version = ? WHERE id = ?", (recorded.version, event.bot_id))


PROJECTION = Projection(
    "users",
    5,
    ("users", "banned_addresses"),
    SCHEMA,
    {
        UserCreated: each(_created),
        PasswordSet: _set("password_hash = ?", "password_hash"),
        ProfileChanged: _set("name = ?, bio = ?", "name", "bio"),
        RoleChanged: _set("role = ?", "role"),
        EmailChanged: _set("email = ?", "email"),
        UserDeactivated: _set("status = 'deactivated'"),
        UserRemoved: _set("status = 'removed', email = NULL, avatar = NULL"),
        AvatarSet: _set("avatar = ?", "digest"),
        UserMessagesRemoved: _set("messages_removed = 1"),
        UserReactivated: each(_reactivated),
        UserBanned: each(_banned),
        BotKeySet: each(_bot_event),
        BotWebhookSet: each(_bot_event),
        BotCommandsSet: each(_bot_event),
    },
)
