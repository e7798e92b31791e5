"""Following the log from another process: committed batches in order, from a position on, for ever.

SQLite tells nobody about commits, so the follower looks. A look at an unchanged log costs some ten
microseconds, so looking fifty times a second is free and delays nothing that a person would notice.
"""

import asyncio
from collections.abc import AsyncIterator

from campfire.domain.events import RecordedEvent
from campfire.eventlog.reader import LogReader


async def follow(
    reader: LogReader, after: int, *, poll_seconds: float = 0.02, page: int = 500
) -> AsyncIterator[list[RecordedEvent]]:
    """Yield what is recorded after position `after`, at most `page` events at a time, waiting for more.

    Raises what `LogReader.read` raises.
    """
    position = after
    while True:
        events = await asyncio.to_thread(reader.read, position, page)
        if events:
            position = events[-1].position
            yield events
        else:
            await asyncio.sleep(poll_seconds)
