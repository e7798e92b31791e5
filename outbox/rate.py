"""How many deliveries a second an endpoint wants: a token bucket."""


class Bucket:
    """Tokens of one endpoint, on the monotonic clock (seconds). It begins full.

    The rate comes with every `take`, since an administrator may change it at any moment. It is asked on the ledger's
    thread, within the step that claims, so that no two claims take the same token; a step that is rolled back has
    wasted its own.
    """

    def __init__(self) -> None:
        self._spent = 0.0
        self._at = 0.0
        self._rate: float | None = None

    def take(self, rate: float | None, now: float) -> bool:
        """Take a token if there is one. `rate` in tokens a second; None means that there is no limit."""
        self._rate = rate
        if self.wait(now) > 0:
            return False
        self._spent += 1
        return True

    def wait(self, now: float) -> float:
        """Seconds until there is a token, at the rate that was last asked for."""
        if self._rate is None:
            self._spent = 0.0
            return 0.0
        most = burst(self._rate)
        self._spent = max(0.0, min(self._spent, most) - (now - self._at) * self._rate)
        self._at = now
        lacking = self._spent + 1 - most
        return lacking / self._rate if lacking > _ALMOST else 0.0


_ALMOST = 1e-6
"""Of a token: what sums of fractions may be wrong by."""


def burst(rate: float) -> float:
    """As many at once as a second brings, and one at least, or nothing would ever go."""
    return max(1.0, rate)
