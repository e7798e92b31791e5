"""What is written to the outbox, and what is no longer there once it was forgotten."""

import asyncio
import sqlite3
import threading
from pathlib import Path

from outbox.ledger import Ledger

WORD = b"Quetzalcoatl"


def keep(connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT INTO answers (id, delivery_id, bot_id, message_id, body, answered_at)"
        " VALUES ('a', 'd', 'b', 'm', ?, 1)",
        (WORD,),
    )


def forget(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE answers SET body = NULL")


async def test_what_was_forgotten_is_in_no_file_whatever_was_just_being_written(tmp_path: Path) -> None:
    """Also if the transaction before it emptied the WAL while it waited for its turn."""
    ledger = Ledger(tmp_path / "outbox.db")
    await ledger.open()
    await ledger.write(keep)
    began, go_on = threading.Event(), threading.Event()

    def be_slow(_connection: sqlite3.Connection) -> None:
        began.set()
        go_on.wait(60)

    slow = asyncio.create_task(ledger.write(be_slow, forgets=True))
    await asyncio.to_thread(began.wait, 60)
    forgetting = asyncio.create_task(ledger.write(forget, forgets=True))
    await asyncio.sleep(0)  # it stands in line now, for the next transaction
    go_on.set()
    await asyncio.gather(slow, forgetting)
    await ledger.rows("SELECT 1")  # behind the emptying, on the same thread
    held = [path.name for path in tmp_path.glob("outbox.db*") if WORD in path.read_bytes()]
    await ledger.close()
    assert held == []
