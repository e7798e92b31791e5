"""Asking the server, which knows who has read what, over its control socket."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Self, TypeVar

import aiohttp
import msgspec
import structlog

from campfire.config import Settings
from campfire.control_client import ControlClient, control_client
from campfire.errors import CampfireError

Answer = TypeVar("Answer")

_SECONDS = 15

log = structlog.get_logger()


class Asking:
    """Questions of `campfire.push_words` to the server that uses the same data directory, while it is entered.

    Connections are kept: every push asks, and to connect takes longer than to be answered.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open = AsyncExitStack()
        self._client: ControlClient

    async def __aenter__(self) -> Self:
        self._client = await self._open.enter_async_context(control_client(self._settings))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def ask(self, path: str, question: Any, answer: type[Answer]) -> Answer | None:
        """The server's answer; None if it gives none now: it is down, busy, or of another version."""
        try:
            async with asyncio.timeout(_SECONDS):
                return msgspec.convert(await self._client.post(path, msgspec.json.encode(question)), answer)
        except (CampfireError, aiohttp.ClientError, OSError, msgspec.MsgspecError) as error:
            log.info("push_not_asked", path=path, error=str(error))
            return None
