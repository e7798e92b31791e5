"""Webhook endpoints. Secrets are here only sealed."""

import sqlite3

import msgspec

from campfire.domain.events import (
    RecordedEvent,
    WebhookCreated,
    WebhookDeleted,
    WebhookSecretRotated,
    WebhookTested,
)
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE webhooks (
    id                     TEXT    PRIMARY KEY,
    url                    TEXT    NOT NULL,
    events                 TEXT    NOT NULL,  -- JSON array
    rooms                  TEXT,              -- JSON array; NULL means every room
    sealed_secret          TEXT    NOT NULL,
    previous_sealed_secret TEXT,
    previous_valid_until   INTEGER,
    created_by             TEXT    NOT NULL,
    created_at             INTEGER NOT NULL,
    version                INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


def _created(connection: sqlite3.Connection, event: WebhookCreated, recorded: RecordedEvent) -> None:
    rooms = None if event.rooms is None else msgspec.json.encode(event.rooms).decode()
    connection.execute(
        "INSERT INTO webhooks (id, url, events, rooms, sealed_secret, created_by, created_at, version)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            event.webhook_id,
            event.url,
            msgspec.json.encode(event.events).decode(),
            rooms,
            event.sealed_secret,
            event.by,
            event.at,
            recorded.version,
        ),
    )


def _rotated(connection: sqlite3.Connection, event: WebhookSecretRotated, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE webhooks SET previous_sealed_secret = sealed_secret, previous_valid_until = ?, sealed_secret = ?,"
        " version = ? WHERE id = ?",
        (event.previous_valid_until, event.sealed_secret, recorded.version, event.webhook_id),
    )


def _tested(connection: sqlite3.Connection, event: WebhookTested, recorded: RecordedEvent) -> None:
    connection.execute("UPDATE webhooks SET version = ? WHERE id = ?", (recorded.version, event.webhook_id))


def _deleted(connection: sqlite3.Connection, event: WebhookDeleted, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM webhooks WHERE id = ?", (event.webhook_id,))


PROJECTION = Projection(
    "webhooks",
    1,
    ("webhooks",),
    SCHEMA,
    {
        WebhookCreated: each(_created),
        WebhookSecretRotated: each(_rotated),
        WebhookTested: each(_tested),
        WebhookDeleted: each(_deleted),
    },
)
