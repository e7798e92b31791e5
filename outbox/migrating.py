"""Making the tables of `outbox.db`, or bringing those of an older version up to date."""

import sqlite3
from pathlib import Path

from campfire.errors import CampfireError
from outbox.push import schema as push_schema
from outbox.schema import MIGRATIONS, SCHEMA


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """A version at a time, each in one transaction; quick if there is nothing to do.

    The caller holds `outbox.lock`, or is alone. Raises `CONFIGURATION_INVALID` if a newer version made the file.
    """
    connection.execute("PRAGMA journal_mode = WAL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise CampfireError("CONFIGURATION_INVALID", f"{path} was made by a newer version of Campfire.")
    connection.executescript(SCHEMA + push_schema.SCHEMA)
    for number, statements in enumerate(MIGRATIONS[version:], version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {statements}; PRAGMA user_version = {number}; COMMIT;")
