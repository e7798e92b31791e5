"""Where time comes from. Everything that needs the time takes a `Clock`, so that tests can own it."""

import time
from typing import Protocol


class Clock(Protocol):
    """A source of wall-clock and monotonic time."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch (UTC). May jump when the machine's clock is set."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow; for leases, timeouts and rates."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told to; for tests and for replays that must repeat exactly."""

    def __init__(self, at_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = at_ms
        self._monotonic = 0.0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks forward by `seconds`."""
        self._now_ms += round(seconds * 1000)
        self._monotonic += seconds
