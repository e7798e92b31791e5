"""What bots have beside what every user has. Keys are here only hashed and sealed."""

import sqlite3

import msgspec

from campfire.domain.events import (
    BotCommandsSet,
    BotKeySet,
    BotWebhookSet,
    RecordedEvent,
    UserDeactivated,
    UserRemoved,
)
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE bots (
    user_id     TEXT PRIMARY KEY,
    token_hash  TEXT,              -- SHA-256, hex; NULL when the key has been taken away
    sealed_token  TEXT,
    webhook_url TEXT,
    commands    TEXT NOT NULL DEFAULT '[]'  -- JSON array of {name, description}
) STRICT, WITHOUT ROWID;
"""


def _key_set(connection: sqlite3.Connection, event: BotKeySet, _: RecordedEvent) -> None:
    connection.execute(
        "INSERT INTO bots (user_id, token_hash, sealed_token) VALUES (?, ?, ?)"
        " ON CONFLICT (user_id) DO UPDATE SET token_hash = excluded.token_hash, sealed_token = excluded.sealed_token",
        (event.bot_id, event.token_hash, event.sealed_token),
    )


def _webhook_set(connection: sqlite3.Connection, event: BotWebhookSet, _: RecordedEvent) -> None:
    connection.execute(
        "INSERT INTO bots (user_id, webhook_url) VALUES (?, ?)"
        " ON CONFLICT (user_id) DO UPDATE SET webhook_url = excluded.webhook_url",
        (event.bot_id, event.url),
    )


def _commands_set(connection: sqlite3.Connection, event: BotCommandsSet, _: RecordedEvent) -> None:
    connection.execute(
        "INSERT INTO bots (user_id, commands) VALUES (?, ?)"
        " ON CONFLICT (user_id) DO UPDATE SET commands = excluded.commands",
        (event.bot_id, msgspec.json.encode(event.commands).decode()),
    )


def _ended(connection: sqlite3.Connection, event: UserDeactivated | UserRemoved, _: RecordedEvent) -> None:
    connection.execute("UPDATE bots SET token_hash = NULL, sealed_token = NULL WHERE user_id = ?", (event.user_id,))


PROJECTION = Projection(
    "bots",
    2,
    ("bots",),
    SCHEMA,
    {
        BotKeySet: each(_key_set),
        BotWebhookSet: each(_webhook_set),
        BotCommandsSet: each(_commands_set),
        UserDeactivated: each(_ended),
        UserRemoved: each(_ended),
    },
)
