"""How long somebody holds the rooms that they have open: while something is heard of them, and a little longer."""

LEASE_SECONDS = 60.0
"""Without a sign of life whoever held a room is gone."""
GRACE_SECONDS = 5.0
"""For a connection that broke to come back, so that nobody is shown leaving and entering."""


class Lease:
    """What one connection, or one session over HTTP, has open. Times are the clock's monotonic seconds."""

    __slots__ = ("_ends_at", "busy", "rooms", "seen", "session_id", "user_id")

    def __init__(self, user_id: str, session_id: str, *, now: float, position: int) -> None:
        self.user_id = user_id
        self.session_id = session_id
        self.rooms: set[str] = set()
        self.busy = False
        """While a frame is being worked on nothing is read, so silence would be our own."""
        self.heard(now, position)

    def heard(self, now: float, position: int) -> None:
        """A sign of life: what the log held up to `position` has been within sight."""
        self._ends_at = now + LEASE_SECONDS
        self.seen = position

    def broke(self, now: float) -> None:
        """Its connection has gone; it lasts `GRACE_SECONDS` more at most."""
        self.busy = False
        self._ends_at = min(self._ends_at, now + GRACE_SECONDS)

    def end(self) -> None:
        """It is over now."""
        self.busy = False
        self._ends_at = float("-inf")

    def is_over(self, now: float) -> bool:
        return self._ends_at <= now and not self.busy
