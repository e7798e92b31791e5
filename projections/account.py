"""The account: its name, its invitation and how it is run."""

import sqlite3

from campfire.domain.events import AccountChanged, AccountCreated, JoinCodeRotated, LogoSet, RecordedEvent
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE account (
    name                         TEXT    NOT NULL,
    join_code                    TEXT    NOT NULL,
    created_at                   INTEGER NOT NULL,
    custom_styles                TEXT    NOT NULL DEFAULT '',
    rooms_by_administrators_only INTEGER NOT NULL DEFAULT 0,
    retention_days               INTEGER NOT NULL DEFAULT 0, -- 0 is for ever
    logo                         TEXT                        -- digest of a blob
) STRICT;
"""


def _created(connection: sqlite3.Connection, event: AccountCreated, _: RecordedEvent) -> None:
    connection.execute(
        "INSERT INTO account (name, join_code, created_at) VALUES (?, ?, ?)", (event.name, event.join_code, event.at)
    )


def _changed(connection: sqlite3.Connection, event: AccountChanged, _: RecordedEvent) -> None:
    connection.execute(
        "UPDATE account SET name = COALESCE(?, name), custom_styles = COALESCE(?, custom_styles),"
        " rooms_by_administrators_only = COALESCE(?, rooms_by_administrators_only),"
        " retention_days = COALESCE(?, retention_days)",
        (event.name, event.custom_styles, event.rooms_by_administrators_only, event.retention_days),
    )


def _join_code_rotated(connection: sqlite3.Connection, event: JoinCodeRotated, _: RecordedEvent) -> None:
    connection.execute("UPDATE account SET join_code = ?", (event.join_code,))


def _logo_set(connection: sqlite3.Connection, event: LogoSet, _: RecordedEvent) -> None:
    connection.execute("UPDATE account SET logo = ?", (event.digest,))


PROJECTION = Projection(
    "account",
    3,
    ("account",),
    SCHEMA,
    {
        AccountCreated: each(_created),
        AccountChanged: each(_changed),
        JoinCodeRotated: each(_join_code_rotated),
        LogoSet: each(_logo_set),
    },
)
