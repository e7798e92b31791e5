"""Webhooks as the log tells of them. Steps of the ledger, in the planner's own transaction."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from campfire.domain import events as happened
from campfire.domain.events import Condition, RecordedEvent
from outbox import backlog, queueing, withdrawing
from outbox.deliveries import disable
from outbox.planning import Endpoint

_MOST_SECRETS = 10


def take(connection: sqlite3.Connection, recorded: RecordedEvent, now: int) -> str | None:
    """Learn what an event says of a webhook, and return its id; None if it says nothing of any."""
    event = recorded.event
    if isinstance(event, happened.WebhookCreated):
        _add(connection, event, recorded.position)
    elif isinstance(event, happened.WebhookChanged):
        _change(connection, event, now)
    elif isinstance(event, happened.WebhookSecretRotated):
        _rotate(connection, event, now)
    elif isinstance(event, happened.WebhookPaused):
        connection.execute(
            "UPDATE endpoints SET state = 'paused' WHERE id = ? AND state = 'active'", (event.webhook_id,)
        )
    elif isinstance(event, happened.WebhookResumed):
        _resume(connection, event, recorded.position, now)
    elif isinstance(event, happened.WebhookDisabled):
        disable(connection, event.webhook_id, event.detail, recorded.position)
    elif isinstance(event, happened.WebhookDeleted):
        connection.execute("UPDATE endpoints SET state = 'deleted' WHERE id = ?", (event.webhook_id,))
        queueing.cancel_all(connection, event.webhook_id, "the webhook was deleted", now)
    else:
        if isinstance(event, happened.WebhookCursorMoved):
            backlog.want_all(connection, event.webhook_id)
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
        return cls(wanting(wants), cursor, leap_from, leap_to)


WANTS = "id, events, rooms, created_position, filter"
"""The columns that say what a webhook wants, as `wanting` takes them."""
BEHIND = (
    f"SELECT {WANTS}, cursor, leap_from, leap_to FROM endpoints"
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
        f"SELECT {WANTS} FROM endpoints WHERE kind = 'webhook' AND state IN ('active', 'paused') AND cursor IS NULL"
    )
    return [wanting(row) for row in rows]


def wanting(row: Sequence[Any]) -> Endpoint:
    """A webhook from a row of `WANTS`."""
    endpoint_id, events, rooms, created_position, conditions = row
    return Endpoint(
        endpoint_id,
        frozenset(msgspec.json.decode(events)),
        None if rooms is None else frozenset(msgspec.json.decode(rooms)),
        created_position,
        msgspec.json.decode(conditions, type=tuple[Condition, ...]),
    )


def _add(connection: sqlite3.Connection, event: happened.WebhookCreated, position: int) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO endpoints (id, url, events, rooms, filter, timeout, rate, concurrency, ordering,"
        " catch_up, secrets, created_position) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (event.webhook_id, *_wanted(event), _json([(event.sealed_secret, None)]), position),
    )


def _change(connection: sqlite3.Connection, event: happened.WebhookChanged, now: int) -> None:
    connection.execute(
        "UPDATE endpoints SET url = ?, events = ?, rooms = ?, filter = ?, timeout = ?, rate = ?, concurrency = ?,"
        " ordering = ?, catch_up = ? WHERE id = ?",
        (*_wanted(event), event.webhook_id),
    )
    withdrawing.cancel_unwanted(connection, event.webhook_id, now)
    # After a change of the ordering, and where the one in front was cancelled just now.
    queueing.reorder(connection, event.webhook_id)


def _wanted(event: happened.WebhookCreated | happened.WebhookChanged) -> tuple[Any, ...]:
    settings = event.settings
    return (
        event.url,
        _json(event.events),
        None if event.rooms is None else _json(event.rooms),
        _json(event.filter),
        settings.timeout,
        settings.rate,
        settings.concurrency,
        settings.ordering,
        settings.catch_up,
    )


def _rotate(connection: sqlite3.Connection, event: happened.WebhookSecretRotated, now: int) -> None:
    """A new secret signs, and beside it the one before, and each before that for as long as it was promised."""
    row = connection.execute("SELECT secrets FROM endpoints WHERE id = ?", (event.webhook_id,)).fetchone()
    if row is None:
        return
    until = event.previous_valid_until
    older = [(sealed, until if ends is None else ends) for sealed, ends in msgspec.json.decode(row[0])]
    secrets = [(event.sealed_secret, None), *((sealed, ends) for sealed, ends in older if ends > now)]
    connection.execute(
        "UPDATE endpoints SET secrets = ? WHERE id = ?", (_json(secrets[:_MOST_SECRETS]), event.webhook_id)
    )


def _resume(connection: sqlite3.Connection, event: happened.WebhookResumed, position: int, now: int) -> None:
    """Serve it again, and forgive what it did before."""
    changed = connection.execute(
        "UPDATE endpoints SET state = 'active', disabled_reason = NULL, failing_since = NULL, last_failure_at = NULL"
        " WHERE id = ? AND state IN ('paused', 'disabled')",
        (event.webhook_id,),
    )
    if changed.rowcount:
        connection.execute("DELETE FROM breakers WHERE endpoint_id = ?", (event.webhook_id,))
        backlog.resume(connection, event.webhook_id, event.catch_up, position, now)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
