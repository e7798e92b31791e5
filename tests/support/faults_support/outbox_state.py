"""How the outbox of a data directory stands, for whoever breaks it."""

import asyncio
import contextlib
import sqlite3
from typing import Any

from outbox_support.chat import Chat

from outbox.status import OutboxStatus, outbox_status


def status_of(chat: Chat) -> OutboxStatus:
    status = outbox_status(chat.engine.settings.outbox_path, chat.engine.clock.now_ms())
    assert status is not None
    return status


def rows(chat: Chat, statement: str) -> list[Any]:
    """What `outbox.db` says, read-only."""
    uri = f"{chat.engine.settings.outbox_path.as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        return connection.execute(statement).fetchall()


async def until_delivered(chat: Chat, count: int) -> None:
    """Wait until so many deliveries have been recorded as delivered."""
    path = chat.engine.settings.outbox_path
    async with asyncio.timeout(60):
        while (status := outbox_status(path, 0)) is None or status.delivered < count:
            await asyncio.sleep(0.02)
