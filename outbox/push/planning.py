"""What the log asks to be pushed. A step of the planner's transaction."""

import sqlite3
from typing import Any

from campfire.domain import events as happened
from campfire.domain import ids
from campfire.domain.events import RecordedEvent


def take(connection: sqlite3.Connection, recorded: RecordedEvent, *, now: int, ttl_ms: int) -> None:
    """Keep who is subscribed; queue a message if anybody is, and a test for its device.

    Whom to tell is asked when it is their turn. What is older than `ttl_ms` was told of, or is not news any more.
    """
    event = recorded.event
    if isinstance(event, happened.PushSubscribed):
        connection.execute(
            "INSERT OR REPLACE INTO push_devices (id, service) VALUES (?, ?)", (event.subscription_id, event.service)
        )
        connection.execute("DELETE FROM push_refusals WHERE subscription_id = ?", (event.subscription_id,))
    elif isinstance(event, happened.PushUnsubscribed):
        _forget(connection, event.subscription_id)
    elif isinstance(event, happened.SessionEnded):
        _forget(connection, ids.push_subscription_id(event.session_id))
    elif isinstance(event, happened.PushTested):
        _queue(connection, recorded, now, ttl_ms, subscription_id=event.subscription_id)
    elif isinstance(event, happened.MessagePosted) and _is_news(connection, event):
        _queue(connection, recorded, now, ttl_ms, message_id=event.message_id, room_id=event.room_id)


def _is_news(connection: sqlite3.Connection, event: happened.MessagePosted) -> bool:
    if event.origin != "live" or event.scrubbed:
        return False
    return connection.execute("SELECT 1 FROM push_devices LIMIT 1").fetchone() is not None


def _queue(connection: sqlite3.Connection, recorded: RecordedEvent, now: int, ttl_ms: int, **about: Any) -> None:
    expires_at = recorded.recorded_at + ttl_ms
    if expires_at <= now:
        return
    connection.execute(
        "INSERT OR IGNORE INTO pushes (position, message_id, subscription_id, room_id, expires_at, planned_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            recorded.position,
            about.get("message_id"),
            about.get("subscription_id"),
            about.get("room_id"),
            expires_at,
            now,
        ),
    )


def _forget(connection: sqlite3.Connection, subscription_id: str) -> None:
    connection.execute("DELETE FROM push_devices WHERE id = ?", (subscription_id,))
    connection.execute("DELETE FROM push_refusals WHERE subscription_id = ?", (subscription_id,))
