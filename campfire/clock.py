"""Where time comes from. Everything that needs the time takes a `Clock`, so that tests can own it."""

import time
from datetime import UTC, datetime
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


def iso_from_ms(at_ms: int) -> str:
    """ISO 8601 in UTC with milliseconds, as every time in the API is written."""
    seconds, milliseconds = divmod(at_ms, 1000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def ms_from_iso(text: str) -> int:
    """Read an ISO 8601 time; one without an offset is taken as UTC. Raises `ValueError`."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
