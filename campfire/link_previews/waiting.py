"""Messages whose links wait to be looked at."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

log = structlog.get_logger()


class Waiting:
    """At most `most` messages, oldest first; one more drops the oldest, which then is shown without previews.

    What names a host that is being asked waits its turn, and lets what comes after it go first: a slow host
    delays only the messages that lead there, and is asked for one thing at a time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._hosts: dict[str, frozenset[str]] = {}
        """By message id."""
        self._busy: set[str] = set()
        self._changed = asyncio.Event()
        self._dropped = 0

    def put(self, message_id: str, hosts: frozenset[str]) -> None:
        """Add a message that names `hosts`; one that waits already goes to the end, as it is now."""
        self._hosts.pop(message_id, None)
        if len(self._hosts) >= self._most:
            del self._hosts[next(iter(self._hosts))]
            self._dropped += 1
        self._hosts[message_id] = hosts
        self._changed.set()

    @asynccontextmanager
    async def next(self) -> AsyncIterator[str]:
        """The first message whose hosts are free; they are taken until the block ends."""
        while (message_id := self._first()) is None:
            self._changed.clear()
            await self._changed.wait()
        hosts = self._hosts.pop(message_id)
        self._busy |= hosts
        if self._dropped:
            # Here and not where it happens: one line for each message looked at is enough.
            log.warning("link_previews_dropped", messages=self._dropped)
            self._dropped = 0
        try:
            yield message_id
        finally:
            self._busy -= hosts
            self._changed.set()

    def _first(self) -> str | None:
        return next((message_id for message_id, hosts in self._hosts.items() if not hosts & self._busy), None)
