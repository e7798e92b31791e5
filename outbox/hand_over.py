"""Handing what bots answered to the server, which alone writes the log, until it has taken it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable

import structlog

from campfire.config import Settings
from campfire.errors import CampfireError
from outbox import answers
from outbox.answers import WaitingAnswer
from outbox.ledger import Ledger
from outbox.patience import go_on, offer

_PIECE = 256 * 1024
_SECONDS = 60.0
"""For the server to take one answer; a server that hangs is asked again."""
_NEVER = frozenset(
    {
        "CLIENT_MESSAGE_ID_REUSED",
        "MESSAGE_NOT_FOUND",
        "PAYLOAD_TOO_LARGE",
        "PERMISSION_DENIED",
        "ROOM_ACCESS_DENIED",
        "ROOM_ARCHIVED",
        "ROOM_NOT_FOUND",
        "UPLOAD_NOT_FOUND",
        "USER_NOT_FOUND",
        "VALIDATION_FAILED",
    }
)
"""What the server says to an answer that it will not take at any time."""

log = structlog.get_logger()


class HandOver:
    """`wake` it when there is another answer; what waited before is handed over first."""

    def __init__(self, settings: Settings, ledger: Ledger, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._ledger = ledger
        self._now_ms = now_ms
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Hand over for ever. A cancellation loses nothing: what waits is handed over by the next worker."""
        await go_on(self._hand_over_all, self._woken)

    async def _hand_over_all(self) -> bool:
        """Go once through all that waits; False if something is to be tried again."""
        after: tuple[int, str] = (-1, "")
        everything = True
        while rows := await self._ledger.rows(answers.NEXT_WAITING, after):
            answer = WaitingAnswer(*rows[0])
            after = (answer.answered_at, answer.id)
            try:
                await self._finish(answer, await self._refusal(answer))
            except (CampfireError, sqlite3.OperationalError) as error:
                log.warning("answer_waits", answer=answer.id, bot=answer.bot_id, error=str(error))
                everything = False
                if isinstance(error, CampfireError) and error.code == "SHUTTING_DOWN":
                    break  # nobody is there to take the others
        return everything

    async def _refusal(self, answer: WaitingAnswer) -> str | None:
        """Hand it over. Why the server will never take it, None if it has; raises if it may later."""
        query = {"id": answer.id, "bot_id": answer.bot_id, "message_id": answer.message_id}
        if answer.file_name is not None:
            query["file"] = answer.file_name
        refused = await offer(
            self._settings, "/bots/answers", _pieces(answer.body), seconds=_SECONDS, never=_NEVER, **query
        )
        if refused is None:
            return None
        log.warning("answer_dropped", answer=answer.id, bot=answer.bot_id, code=refused.code)
        return str(refused)

    async def _finish(self, answer: WaitingAnswer, refusal: str | None) -> None:
        await self._ledger.write(
            lambda connection: answers.finish(connection, answer.id, self._now_ms(), refusal), forgets=True
        )


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]
