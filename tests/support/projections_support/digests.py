"""What the read models of a data directory hold."""

import sqlite3
from pathlib import Path

from projections.digest import digest_of


def digests(data: Path) -> dict[str, str]:
    """A digest of each table. A server may use the directory."""
    connection = sqlite3.connect(f"file:{data / 'campfire.db'}?mode=ro", uri=True)
    try:
        return digest_of(connection)
    finally:
        connection.close()
