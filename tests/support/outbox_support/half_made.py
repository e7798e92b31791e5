"""What a kill leaves of `outbox.db` that comes while the file is being made."""

import subprocess
import sys
from pathlib import Path

_DYING = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("CREATE TABLE begun (x)")
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN")
for _ in range(100):
    connection.execute("INSERT INTO begun VALUES (zeroblob(4096))")
os.kill(os.getpid(), signal.SIGKILL)
"""


def leave_half_made(path: Path) -> None:
    """A part of a transaction in the file, and its journal beside it, which only a writer can roll back."""
    subprocess.run([sys.executable, "-c", _DYING, str(path)], check=False)
    assert path.with_name(f"{path.name}-journal").exists()
