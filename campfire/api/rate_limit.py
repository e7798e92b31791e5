"""Rate limits: a token bucket for each person or address."""

import msgspec

from campfire.clock import Clock
from campfire.errors import CampfireError

_MOST_BUCKETS = 50_000


class Allowance(msgspec.Struct, frozen=True):
    """What is left: for the RateLimit headers. `reset` in seconds until the bucket is full."""

    limit: int
    remaining: int
    reset: float


class RateLimiter:
    """Allows `limit` events at once and `limit` per `seconds` after that, for each key."""

    def __init__(self, clock: Clock, *, limit: int, seconds: float) -> None:
        self._clock = clock
        self._limit = limit
        self._rate = limit / seconds
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> Allowance:
        """Count one event. Raises `CampfireError` `RATE_LIMIT_EXCEEDED` with the true time to wait."""
        now = self._clock.monotonic()
        tokens, at = self._buckets.get(key, (float(self._limit), now))
        tokens = min(float(self._limit), tokens + (now - at) * self._rate)
        if tokens < 1:
            self._buckets[key] = (tokens, now)
            raise CampfireError(
                "RATE_LIMIT_EXCEEDED",
                "Too many requests; wait a moment.",
                retry_after=(1 - tokens) / self._rate,
                limit=self._limit,
            )
        if len(self._buckets) >= _MOST_BUCKETS:
            self._forget_full_buckets(now)
        self._buckets[key] = (tokens - 1, now)
        return Allowance(self._limit, int(tokens - 1), (self._limit - tokens + 1) / self._rate)

    def _forget_full_buckets(self, now: float) -> None:
        self._buckets = {
            key: (tokens, at)
            for key, (tokens, at) in self._buckets.items()
            if tokens + (now - at) * self._rate < self._limit
        }
