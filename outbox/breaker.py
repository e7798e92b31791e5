"""A circuit breaker for each endpoint: closed, open for a while after five failures, then one probe."""

from typing import Literal

import msgspec

THRESHOLD = 5
"""Failures in a row."""

State = Literal["closed", "open", "half-open"]


class Breaker(msgspec.Struct, frozen=True):
    """What is remembered of an endpoint; kept in `outbox.db`, so that a restart forgives nothing."""

    failures: int = 0
    opened_at: int | None = None

    def state(self, now: int, open_ms: int) -> State:
        """Open for `open_ms` milliseconds, then half-open until the probe's result.

        Half-open too if the clock was set back meanwhile: an opening in the future would last for hours.
        """
        if self.opened_at is None:
            return "closed"
        return "open" if self.opened_at <= now < self.opened_at + open_ms else "half-open"

    def opens_until(self, open_ms: int) -> int:
        """When the probe may go, in milliseconds; 0 while closed."""
        return 0 if self.opened_at is None else self.opened_at + open_ms

    def after_success(self) -> "Breaker":
        return Breaker()

    def after_failure(self, now: int) -> "Breaker":
        """A fifth failure opens; a failed probe opens anew."""
        failures = self.failures + 1
        return Breaker(failures, now if failures >= THRESHOLD else None)
