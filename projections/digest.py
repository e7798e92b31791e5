"""A digest of each read model's content, so that "live = rebuilt = restored" is a comparison of strings."""

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

import projections
from projections.projection import Projection

_FULL_TEXT = "fts5"


def digest_of(
    connection: sqlite3.Connection, all_projections: Sequence[Projection] = projections.ALL
) -> dict[str, str]:
    """SHA-256 (hex) of each table's rows, in an order that does not depend on how they came to be.

    For the full-text index both its copy of the text and the words that can be found: how many
    messages hold each, and how often. Tracking positions are left out; a table that is not there is "missing".
    """
    return {table: _table_digest(connection, table) for each in all_projections for table in each.tables}


def _table_digest(connection: sqlite3.Connection, table: str) -> str:
    definition = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    if definition is None:
        return "missing"
    if f"USING {_FULL_TEXT}" in definition[0]:
        text = connection.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid")
        return _digest_of_rows(text, _words(connection, table))
    columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
    key = [column[1] for column in sorted(columns, key=lambda column: column[5]) if column[5]]
    order = key or [column[1] for column in columns]
    return _digest_of_rows(connection.execute(f"SELECT * FROM {table} ORDER BY {', '.join(order)}"))


def _words(connection: sqlite3.Connection, table: str) -> Iterable[Any]:
    vocabulary = f"temp.{table}_words"
    connection.execute(f"CREATE VIRTUAL TABLE IF NOT EXISTS {vocabulary} USING fts5vocab('main', '{table}', 'col')")
    return connection.execute(f"SELECT term, col, doc, cnt FROM {vocabulary}")


def _digest_of_rows(*selections: Iterable[Any]) -> str:
    digest = sha256()
    for rows in selections:
        for row in rows:
            digest.update(repr(row).encode(errors="surrogatepass"))
    return digest.hexdigest()
