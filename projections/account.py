"""The account: its name and invitation."""

import sqlite3

from campfire.domain.events import AccountCreated, RecordedEvent
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE account (
    name       TEXT    NOT NULL,
    join_code  TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
"""


def _created(connection: sqlite3.Connection, event: AccountCreated, _: RecordedEvent) -> None:
    connection.execute("INSERT INTO account VALUES (?, ?, ?)", (event.name, event.join_code, event.at))


PROJECTION = Projection("account", 1, ("account",), SCHEMA, {AccountCreated: each(_created)})
