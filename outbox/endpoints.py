"""Webhooks as the log tells of them. Steps of the ledger, in the planner's own transaction."""

import sqlite3

import msgspec

from campfire.domain import events as happened
from campfire.domain.events import RecordedEvent
from outbox.deliveries import cancel_all
from outbox.planning import Endpoint


def take(connection: sqlite3.Connection, recorded: RecordedEvent, now: int) -> str | None:
    """Learn what an event says of a webhook, and return its id; None if it says nothing of any."""
    event = recorded.event
    if isinstance(event, happened.WebhookCreated):
        _add(connection, event, recorded.position)
    elif isinstance(event, happened.WebhookSecretRotated):
        connection.execute(
            "UPDATE endpoints SET previous_sealed_secret = sealed_secret, previous_valid_until = ?,"
            " sealed_secret = ? WHERE id = ?",
            (event.previous_valid_until, event.sealed_secret, event.webhook_id),
        )
    elif isinstance(event, happened.WebhookDeleted):
        connection.execute("UPDATE endpoints SET state = 'deleted' WHERE id = ?", (event.webhook_id,))
        cancel_all(connection, event.webhook_id, "the webhook was deleted", now)
    else:
        return None
    return event.webhook_id


def planned_for(connection: sqlite3.Connection) -> list[Endpoint]:
    """The webhooks that follow the log: neither given up nor still catching up with it."""
    rows = connection.execute(
        "SELECT id, events, rooms, created_position FROM endpoints"
        " WHERE kind = 'webhook' AND state IN ('active', 'paused') AND cursor IS NULL"
    )
    return [
        Endpoint(
            row[0],
            frozenset(msgspec.json.decode(row[1])),
            None if row[2] is None else frozenset(msgspec.json.decode(row[2])),
            row[3],
        )
        for row in rows
    ]


def _add(connection: sqlite3.Connection, event: happened.WebhookCreated, position: int) -> None:
    rooms = None if event.rooms is None else msgspec.json.encode(event.rooms).decode()
    connection.execute(
        "INSERT OR IGNORE INTO endpoints (id, url, events, rooms, sealed_secret, created_position)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            event.webhook_id,
            event.url,
            msgspec.json.encode(event.events).decode(),
            rooms,
            event.sealed_secret,
            position,
        ),
    )
