"""The devices that want pushes, and the server's key towards push services. Secrets are here only sealed."""

import sqlite3

from campfire.domain import ids
from campfire.domain.events import PushKeyMade, PushSubscribed, PushUnsubscribed, RecordedEvent, SessionEnded
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE push_key (
    id                 INTEGER PRIMARY KEY CHECK (id = 1),
    public_key         TEXT NOT NULL,
    sealed_private_key TEXT NOT NULL
) STRICT;
CREATE TABLE push_subscriptions (
    id            TEXT    PRIMARY KEY,
    user_id       TEXT    NOT NULL,
    session_id    TEXT    NOT NULL,
    service       TEXT    NOT NULL,  -- the endpoint's host
    endpoint_hash TEXT    NOT NULL,
    sealed        TEXT    NOT NULL,  -- the endpoint and the device's keys
    user_agent    TEXT    NOT NULL,
    subscribed_at INTEGER NOT NULL,
    position      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


def _key_made(connection: sqlite3.Connection, event: PushKeyMade, _: RecordedEvent) -> None:
    connection.execute(
        "INSERT INTO push_key (id, public_key, sealed_private_key) VALUES (1, ?, ?)",
        (event.public_key, event.sealed_private_key),
    )


def _session_ended(connection: sqlite3.Connection, event: SessionEnded, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM push_subscriptions WHERE id = ?", (ids.push_subscription_id(event.session_id),))


def _subscribed(connection: sqlite3.Connection, event: PushSubscribed, recorded: RecordedEvent) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO push_subscriptions"
        " (id, user_id, session_id, service, endpoint_hash, sealed, user_agent, subscribed_at, position)"
        # Decided before the session ended and recorded after it, it is nothing.
        " SELECT ?, ?, id, ?, ?, ?, ?, ?, ? FROM sessions WHERE id = ? AND ended_at IS NULL",
        (
            event.subscription_id,
            event.user_id,
            event.service,
            event.endpoint_hash,
            event.sealed,
            event.user_agent,
            event.at,
            recorded.position,
            event.session_id,
        ),
    )


def _unsubscribed(connection: sqlite3.Connection, event: PushUnsubscribed, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM push_subscriptions WHERE id = ?", (event.subscription_id,))


PROJECTION = Projection(
    "push_subscriptions",
    1,
    ("push_key", "push_subscriptions"),
    SCHEMA,
    {
        PushKeyMade: each(_key_made),
        SessionEnded: each(_session_ended),
        PushSubscribed: each(_subscribed),
        PushUnsubscribed: each(_unsubscribed),
    },
)
