"""Takes away files that no message needs.

A file is durable before its event is, and goes only when no event refers to it and nobody has brought it
anew for a day: whenever a crash comes, a file that something refers to is there, and at worst one that
nobody refers to stays for another round.
"""

import asyncio
import sqlite3

import structlog

from campfire.blobs.store import BlobStore
from campfire.domain.uploads import decide_discard
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.eventlog.errors import VersionConflict
from projections.queries import attachments

UNUSED_SECONDS = 86_400
"""How long an upload waits for its message, and a file for an event."""
_LOOK_SECONDS = 3_600
_AT_ONCE = 200

log = structlog.get_logger()


class BlobCollector:
    """One for the engine."""

    def __init__(self, engine: Engine, blobs: BlobStore) -> None:
        self._engine = engine
        self._blobs = blobs

    async def run(self) -> None:
        """Collect once an hour, for ever."""
        while True:
            try:
                await self.collect()
            except (CampfireError, OSError, sqlite3.Error) as error:
                log.warning("blobs_not_collected", error=str(error))
            await asyncio.sleep(_LOOK_SECONDS)

    async def collect(self) -> int:
        """Discard uploads that nobody used, then remove the files that nothing refers to; return how many.

        Does nothing while a read model is behind: it would not know of every file that is needed.
        """
        read_side = self._engine.read_side
        if read_side.stalled or read_side.outdated or read_side.is_behind:
            return 0
        await self._discard_unused()
        now = self._engine.clock.now_ms() / 1000
        await asyncio.to_thread(self._blobs.discard_incoming, UNUSED_SECONDS, now)
        old = await asyncio.to_thread(self._older_than, now - UNUSED_SECONDS)
        return sum(
            [await self._remove_unneeded(old[start : start + _AT_ONCE]) for start in range(0, len(old), _AT_ONCE)]
        )

    async def _discard_unused(self) -> None:
        before = self._engine.clock.now_ms() - UNUSED_SECONDS * 1000
        while unused := await attachments.unused_since(self._engine.read_models, before, _AT_ONCE):
            for attachment_id in unused:
                try:
                    await self._engine.append(decide_discard(attachment_id, at=self._engine.clock.now_ms()))
                except VersionConflict:
                    continue  # it has just been used

    def _older_than(self, moment: float) -> list[tuple[str, float]]:
        return [(digest, modified) for digest, modified in self._blobs.digests() if modified < moment]

    async def _remove_unneeded(self, some: list[tuple[str, float]]) -> int:
        needed = await attachments.needed_among(self._engine.read_models, [digest for digest, _ in some])
        removed = 0
        for digest, modified in some:
            if digest not in needed:
                removed += await asyncio.to_thread(self._remove, digest, modified)
        return removed

    def _remove(self, digest: str, modified: float) -> bool:
        for thumbnail in (self._engine.settings.thumbnails_path / digest[:2]).glob(f"{digest}*.webp"):
            thumbnail.unlink(missing_ok=True)
        return self._blobs.remove(digest, unless_newer_than=modified)
