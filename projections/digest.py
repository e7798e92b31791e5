"""A digest of each read model's content, so that "live = rebuilt = restored" is a comparison of strings."""

import sqlite3
from collections.abc import Sequence
from hashlib import sha256

import projections
from projections.projection import Projection


def digest_of(
    connection: sqlite3.Connection, all_projections: Sequence[Projection] = projections.ALL
) -> dict[str, str]:
    """SHA-256 (hex) of each table's rows, in an order that does not depend on how they came to be."""
    return {table: _table_digest(connection, table) for each in all_projections for table in each.tables}


def _table_digest(connection: sqlite3.Connection, table: str) -> str:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    keys = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[5]] or ["rowid", *columns]
    digest = sha256()
    selected = ", ".join(["rowid", *columns] if keys[0] == "rowid" and len(columns) == 1 else columns)
    for row in connection.execute(f"SELECT {selected} FROM {table} ORDER BY {', '.join(keys)}"):
        digest.update(repr(row).encode(errors="surrogatepass"))
    return digest.hexdigest()
