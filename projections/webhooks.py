"""Webhook endpoints. Their secrets are the outbox's alone."""

import sqlite3

import msgspec

from campfire.domain.events import (
    RecordedEvent,
    WebhookChanged,
    WebhookCreated,
    WebhookCursorMoved,
    WebhookDeleted,
    WebhookDisabled,
    WebhookFailing,
    WebhookPaused,
    WebhookRecovered,
    WebhookResumed,
    WebhookSecretRotated,
    WebhookTested,
)
from campfire.domain.webhook_rotation import still_valid
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE webhooks (
    id                   TEXT    PRIMARY KEY,
    url                  TEXT    NOT NULL,
    events               TEXT    NOT NULL,  -- JSON array
    rooms                TEXT,              -- JSON array; NULL means every room
    filter               TEXT    NOT NULL,  -- JSON array of conditions
    settings             TEXT    NOT NULL,  -- JSON object
    state                TEXT    NOT NULL DEFAULT 'active', -- active, paused, disabled
    detail               TEXT,              -- why it is disabled
    failing_since        INTEGER,
    public_key           TEXT,
    pull_key_hash        TEXT,
    previous_valid_until TEXT    NOT NULL DEFAULT '[]', -- JSON array, of each secret before the present one
    created_by           TEXT    NOT NULL,
    created_at           INTEGER NOT NULL,
    version              INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


def _created(connection: sqlite3.Connection, event: WebhookCreated, recorded: RecordedEvent) -> None:
    connection.execute(
        "INSERT INTO webhooks (id, url, events, rooms, filter, settings, public_key, pull_key_hash, created_by,"
        " created_at, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            event.webhook_id,
            *_wanted(event),
            event.public_key,
            event.pull_key_hash,
            event.by,
            event.at,
            recorded.version,
        ),
    )


def _changed(connection: sqlite3.Connection, event: WebhookChanged, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE webhooks SET url = ?, events = ?, rooms = ?, filter = ?, settings = ?, version = ? WHERE id = ?",
        (*_wanted(event), recorded.version, event.webhook_id),
    )


def _wanted(event: WebhookCreated | WebhookChanged) -> tuple[str, str, str | None, str, str]:
    """url, events, rooms, filter, settings"""
    encode = msgspec.json.encode
    return (
        event.url,
        encode(event.events).decode(),
        None if event.rooms is None else encode(event.rooms).decode(),
        encode(event.filter).decode(),
        encode(event.settings).decode(),
    )


def _rotated(connection: sqlite3.Connection, event: WebhookSecretRotated, recorded: RecordedEvent) -> None:
    rows = connection.execute("SELECT previous_valid_until FROM webhooks WHERE id = ?", (event.webhook_id,))
    untils = [until for [known] in rows for until in msgspec.json.decode(known, type=list[int])]
    connection.execute(
        "UPDATE webhooks SET previous_valid_until = ?, public_key = ?, pull_key_hash = COALESCE(?, pull_key_hash),"
        " version = ? WHERE id = ?",
        (
            msgspec.json.encode(still_valid(untils, event)).decode(),
            event.public_key,
            event.pull_key_hash,
            recorded.version,
            event.webhook_id,
        ),
    )


def _noted(connection: sqlite3.Connection, event: WebhookTested | WebhookCursorMoved, recorded: RecordedEvent) -> None:
    connection.execute("UPDATE webhooks SET version = ? WHERE id = ?", (recorded.version, event.webhook_id))


def _paused(connection: sqlite3.Connection, event: WebhookPaused, recorded: RecordedEvent) -> None:
    _set_state(connection, event.webhook_id, "paused", None, recorded)


def _resumed(connection: sqlite3.Connection, event: WebhookResumed, recorded: RecordedEvent) -> None:
    _set_state(connection, event.webhook_id, "active", None, recorded)


def _disabled(connection: sqlite3.Connection, event: WebhookDisabled, recorded: RecordedEvent) -> None:
    _set_state(connection, event.webhook_id, "disabled", event.detail, recorded)


def _set_state(
    connection: sqlite3.Connection, webhook_id: str, state: str, detail: str | None, recorded: RecordedEvent
) -> None:
    connection.execute(
        "UPDATE webhooks SET state = ?, detail = ?, version = ? WHERE id = ?",
        (state, detail, recorded.version, webhook_id),
    )


def _failing(connection: sqlite3.Connection, event: WebhookFailing, recorded: RecordedEvent) -> None:
    _set_failing(connection, event.webhook_id, event.since, recorded)


def _recovered(connection: sqlite3.Connection, event: WebhookRecovered, recorded: RecordedEvent) -> None:
    _set_failing(connection, event.webhook_id, None, recorded)


def _set_failing(connection: sqlite3.Connection, webhook_id: str, since: int | None, recorded: RecordedEvent) -> None:
    connection.execute(
        "UPDATE webhooks SET failing_since = ?, version = ? WHERE id = ?", (since, recorded.version, webhook_id)
    )


def _deleted(connection: sqlite3.Connection, event: WebhookDeleted, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM webhooks WHERE id = ?", (event.webhook_id,))


PROJECTION = Projection(
    "webhooks",
    2,
    ("webhooks",),
    SCHEMA,
    {
        WebhookCreated: each(_created),
        WebhookChanged: each(_changed),
        WebhookSecretRotated: each(_rotated),
        WebhookTested: each(_noted),
        WebhookCursorMoved: each(_noted),
        WebhookPaused: each(_paused),
        WebhookResumed: each(_resumed),
        WebhookDisabled: each(_disabled),
        WebhookFailing: each(_failing),
        WebhookRecovered: each(_recovered),
        WebhookDeleted: each(_deleted),
    },
)
