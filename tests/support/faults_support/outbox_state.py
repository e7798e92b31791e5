"""How the outbox of a data directory stands, for whoever breaks it."""

import asyncio
from typing import Any

from outbox_support.chat import Chat

from outbox.queries import rows_of
from outbox.status import OutboxStatus, outbox_status


def status_of(chat: Chat) -> OutboxStatus:
    status = outbox_status(chat.engine.settings.outbox_path, chat.engine.clock.now_ms())
    assert status is not None
    return status


def rows(chat: Chat, statement: str) -> list[Any]:
    """What `outbox.db` says, read-only."""
    return rows_of(chat.engine.settings.outbox_path, statement)


async def until_delivered(chat: Chat, count: int) -> None:
    """Wait until so many deliveries have been recorded as delivered."""
    path = chat.engine.settings.outbox_path
    async with asyncio.timeout(60):
        while (status := outbox_status(path, 0)) is None or status.delivered < count:
            await asyncio.sleep(0.02)
