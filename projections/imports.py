"""How far each import has come."""

import sqlite3

from campfire.domain.events import ImportProgressed, RecordedEvent
from projections.projection import Projection, each

SCHEMA = """
CREATE TABLE imports (
    source  TEXT    PRIMARY KEY,
    lines   INTEGER NOT NULL,
    digest  TEXT    NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


def _progressed(connection: sqlite3.Connection, event: ImportProgressed, recorded: RecordedEvent) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO imports (source, lines, digest, version) VALUES (?, ?, ?, ?)",
        (event.source, event.lines, event.digest, recorded.version),
    )


PROJECTION = Projection("imports", 1, ("imports",), SCHEMA, {ImportProgressed: each(_progressed)})
