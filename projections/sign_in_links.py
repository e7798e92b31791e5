"""Links that sign somebody in, as long as they have not been used."""

import sqlite3

from campfire.domain.events import RecordedEvent, SignInLinkMade, SignInLinkUsed
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE sign_in_links (
    id         TEXT    PRIMARY KEY,
    user_id    TEXT    NOT NULL,
    purpose    TEXT    NOT NULL,
    token_hash TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


def _made(connection: sqlite3.Connection, event: SignInLinkMade, _: RecordedEvent) -> None:
    connection.execute(
        "INSERT INTO sign_in_links VALUES (?, ?, ?, ?, ?)",
        (event.link_id, event.user_id, event.purpose, event.token_hash, event.expires_at),
    )


def _used(connection: sqlite3.Connection, event: SignInLinkUsed, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM sign_in_links WHERE id = ?", (event.link_id,))


PROJECTION = Projection(
    "sign_in_links",
    1,
    ("sign_in_links",),
    SCHEMA,
    {SignInLinkMade: each(_made), SignInLinkUsed: each(_used)},
)
