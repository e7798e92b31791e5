"""Inserting many rows with few statements.

Each statement gives up the interpreter's lock and has to win it back from a busy event loop, which
costs more than the row itself; so rows go fifty at a time.
"""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

_ROWS_AT_ONCE = 50


def bulk_insert(connection: sqlite3.Connection, insert: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run `insert` (an INSERT up to its VALUES) for all `rows`, which are of one width."""
    if not rows:
        return
    one = f"({','.join('?' * len(rows[0]))})"
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[start : start + _ROWS_AT_ONCE]
        values = ",".join([one] * len(some))
        connection.execute(f"{insert} VALUES {values}", tuple(chain.from_iterable(some)))
