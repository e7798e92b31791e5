"""Asking the server, which knows who has read what, over its control socket."""

import asyncio
from typing import Any, TypeVar

import msgspec
import structlog

from campfire.config import Settings
from campfire.control_client import control_client
from campfire.errors import CampfireError

Answer = TypeVar("Answer")

_SECONDS = 15

log = structlog.get_logger()


class Asking:
    """Questions of `campfire.push_words` to the server that uses the same data directory."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def ask(self, path: str, question: Any, answer: type[Answer]) -> Answer | None:
        """The server's answer; None if it gives none now: it is down, busy, or of another version."""
        try:
            async with asyncio.timeout(_SECONDS), control_client(self._settings) as client:
                return msgspec.convert(await client.post(path, msgspec.json.encode(question)), answer)
        except (CampfireError, OSError, msgspec.MsgspecError) as error:
            log.info("push_not_asked", path=path, error=str(error))
            return None
