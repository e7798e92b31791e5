"""What the hub asks of a transport, whichever it is, and the reasons for which one is closed."""

from typing import Protocol

from campfire.api.feed.cursor import Start
from campfire.api.feed.frames import Heartbeat, Run, Signal

SESSION_ENDED = 4401
RESTARTING = 1012
SLOW_CONSUMER = 1013
INTERNAL_ERROR = 1011
NO_SIGN_OF_LIFE = 4408
"""Close codes: RFC 6455 section 7.4 and the registry it begins; 4401 and 4408 are our own, after HTTP's."""

MOST_WAITING = 4 * 1024 * 1024
"""Bytes that a connection may leave unread before it is closed; it resumes where it was."""


class Subscriber(Protocol):
    """Somebody's open transport. Only `drained` may wait."""

    user_id: str
    session_id: str

    def begin(self, start: Start) -> None:
        """Learn where the feed begins."""

    def deliver(self, run: Run) -> None:
        """Take events, in order."""

    def signal(self, signal: Signal) -> None:
        """Take a frame without a position (typing, presence, status)."""

    def beat(self, heartbeat: Heartbeat) -> None:
        """Show a sign of life to the client and to proxies between, and ask for one if it can give any."""

    def is_silent(self, now: float) -> bool:
        """Whether the other side could have answered, and has not for so long that it must be gone."""

    async def drained(self) -> None:
        """Wait until what was delivered has mostly left; while catching up."""

    def end(self, code: int, reason: str) -> None:
        """Detach, and close the transport soon, telling the client why."""
