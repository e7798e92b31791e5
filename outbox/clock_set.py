"""When the machine's clock is set back: what waits for a time of day must not wait for hours more."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable

import structlog

from campfire.clock import Clock
from outbox.ledger import Ledger

_LOOK_SECONDS = 1.0
_SLIP_MS = 2_000
"""Between two looks: less is how a clock is slewed, or how long a look was late."""

log = structlog.get_logger()


class ClockWatch:
    """Compares the wall clock with the monotonic one; `look` returns by how many milliseconds it was set since."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = self._now()

    def look(self) -> int:
        """Negative: back. What is too little to matter is left for the next look."""
        before, self._offset = self._offset, self._now()
        change = self._offset - before
        return change if abs(change) >= _SLIP_MS else 0

    def _now(self) -> int:
        return self._clock.now_ms() - round(self._clock.monotonic() * 1000)


async def watch_clock(
    clock: Clock,
    ledger: Ledger,
    on_set: Callable[[], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Look for ever; shift what waits by as much as the clock was set back, then call `on_set`.

    Forward nothing is shifted: what is due too early is one attempt early, and goes at the endpoint's own pace.
    """
    watch = ClockWatch(clock)
    to_shift = 0
    while True:
        await sleep(_LOOK_SECONDS)
        change = watch.look()
        if change:
            log.warning("clock_set", seconds=change / 1000)
            on_set()
        to_shift += min(change, 0)
        if to_shift:
            try:
                await ledger.write(_shifting(to_shift))
            except sqlite3.OperationalError as error:
                log.error("outbox_unwritable", error=str(error))
                continue
            to_shift = 0
            on_set()


def _shifting(milliseconds: int) -> Callable[[sqlite3.Connection], None]:
    def step(connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE deliveries SET next_attempt_at = next_attempt_at + ? WHERE state = 'pending'", (milliseconds,)
        )
        connection.execute(
            "UPDATE push_deliveries SET next_attempt_at = next_attempt_at + ? WHERE state = 'pending'", (milliseconds,)
        )

    return step
