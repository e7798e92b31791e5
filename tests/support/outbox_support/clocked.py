"""A chat with a worker in this process whose clock the test sets, and a look into its `outbox.db`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from campfire.config import Settings
from campfire.engine import Engine
from outbox.queries import rows_of
from outbox_support.chat import Chat
from outbox_support.push import Working

_LOOPBACK = (ip_network("127.0.0.0/8"),)

PATIENCE = 120
"""Seconds; a test that waits longer has failed."""


class ClockedChat:
    """`chat` is Ann's; `working` is started by the test."""

    def __init__(self, chat: Chat, **settings: Any) -> None:
        self.chat = chat
        self.engine = chat.engine
        self.path = chat.engine.settings.outbox_path
        self.working = Working(Settings(data=chat.engine.settings.data, webhook_allow=_LOOPBACK, **settings))

    def advance(self, seconds: float) -> None:
        """Set the worker's clock forward."""
        self.working.clock.late_by_ms += round(seconds * 1000)

    async def post(self, body: str, room_id: str | None = None) -> str:
        """Say something, in Ann's room or another; return the message's id."""
        return (await self.chat.post(body, room_id)).message_id

    def count(self, state: str, endpoint_id: str | None = None) -> int:
        """Deliveries in a state, of all endpoints or one."""
        [(found,)] = rows_of(
            self.path,
            "SELECT COUNT(*) FROM deliveries WHERE state = ? AND (? IS NULL OR endpoint_id = ?)",
            (state, endpoint_id, endpoint_id),
        ) or [(0,)]
        return int(found)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await asyncio.sleep(0.01)

    async def until_followed(self) -> None:
        """Wait until the worker knows all that was said so far, and nothing is on its way."""
        position = self.engine.position
        await self.until(lambda: rows_of(self.path, "SELECT 1 FROM cursor WHERE position >= ?", (position,)) != [])
        await self.until(lambda: self.count("sending") == 0)


@asynccontextmanager
async def a_clocked_chat(data: Path, **settings: Any) -> AsyncIterator[ClockedChat]:
    """On real files; the worker is stopped at the end."""
    chat = Chat(await Engine.open(Settings(data=data, webhook_allow=_LOOPBACK)))
    await chat.found()
    clocked = ClockedChat(chat, **settings)
    try:
        yield clocked
    finally:
        await clocked.working.stop()
        await chat.close()
