"""Following the log from another process: committed batches in order, from a position on, for ever.

SQLite tells nobody about commits, so the follower looks. A look at an unchanged log costs about a tenth of a
millisecond, most of it the way to a thread and back, so looking fifty times a second is free and delays nothing that
a person would notice. While people talk it looks more often: what comes is then likely to be followed by more, and at
a hundred messages a second the wait for the next look was most of what a webhook took.
"""

import asyncio
import time
from collections.abc import AsyncIterator

from campfire.domain.events import RecordedEvent
from campfire.eventlog.reader import LogReader

_LIVELY_SECONDS = 1.0
_OFTENER = 4


async def follow(
    reader: LogReader, after: int, *, poll_seconds: float = 0.02, page: int = 500
) -> AsyncIterator[list[RecordedEvent]]:
    """Yield what is recorded after position `after`, at most `page` events at a time, waiting for more.

    It looks every `poll_seconds`, and up to four times as often for a second after the last event, unless whoever
    follows takes long over what it gets. Raises what `LogReader.read` raises.
    """
    position = after
    lively_until = taken = 0.0
    while True:
        events = await asyncio.to_thread(reader.read, position, page)
        if events:
            position = events[-1].position
            began = time.monotonic()
            yield events
            now = time.monotonic()
            taken, lively_until = now - began, now + _LIVELY_SECONDS
        elif time.monotonic() < lively_until:
            # On a slow disk a page costs the same however little is in it: then larger pages are better.
            await asyncio.sleep(min(poll_seconds, _OFTENER * max(poll_seconds / _OFTENER**2, taken)))
        else:
            await asyncio.sleep(poll_seconds)
