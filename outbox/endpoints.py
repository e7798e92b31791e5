"""Webhooks as the log tells of them. Steps of the ledger, in the planner's own transaction."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from campfire.domain import events as happened
from campfire.domain.events import Condition, RecordedEvent
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


class Standing(msgspec.Struct, frozen=True):
    """A webhook that is behind: planned up to `cursor`; once it is at `leap_from`, it goes on at `leap_to`."""

    endpoint: Endpoint
    cursor: int
    leap_from: int | None
    leap_to: int | None

    @property
    def id(self) -> str:
        return self.endpoint.id

    @property
    def is_in_history(self) -> bool:
        """Whether what comes next was asked for by moving the cursor, and not just missed."""
        return self.leap_from is not None

    @classmethod
    def of(cls, row: tuple[Any, ...]) -> "Standing":
        *wants, cursor, leap_from, leap_to = row
        return cls(_endpoint(wants), cursor, leap_from, leap_to)


_WANTS = "id, events, rooms, created_position, filter"
BEHIND = (
    f"SELECT {_WANTS}, cursor, leap_from, leap_to FROM endpoints"
    " WHERE kind = 'webhook' AND state IN ('active', 'paused') AND cursor IS NOT NULL"
)
"""The webhooks that catch up with the log, as `Standing.of` takes them."""


def standing(connection: sqlite3.Connection, endpoint_id: str) -> Standing | None:
    """Where a webhook is that catches up; None if it does not, or not any more."""
    row = connection.execute(f"{BEHIND} AND id = ?", (endpoint_id,)).fetchone()
    return Standing.of(row) if row else None


def planned_for(connection: sqlite3.Connection) -> list[Endpoint]:
    """The webhooks that follow the log: neither given up nor still catching up with it."""
    rows = connection.execute(
        f"SELECT {_WANTS} FROM endpoints WHERE kind = 'webhook' AND state IN ('active', 'paused') AND cursor IS NULL"
    )
    return [_endpoint(row) for row in rows]


def _endpoint(row: Sequence[Any]) -> Endpoint:
    endpoint_id, events, rooms, created_position, conditions = row
    return Endpoint(
        endpoint_id,
        frozenset(msgspec.json.decode(events)),
        None if rooms is None else frozenset(msgspec.json.decode(rooms)),
        created_position,
        msgspec.json.decode(conditions, type=tuple[Condition, ...]),
    )


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
