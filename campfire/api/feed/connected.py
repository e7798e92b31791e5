"""Who has a live feed at all, in whatever room."""

from campfire.api.feed import frames
from campfire.api.feed.hub import FeedHub
from campfire.api.feed.leases import GRACE_SECONDS
from campfire.engine import Engine


class Connected:
    """Compares now and then who is here with what everybody was told.

    So the comings and goings of a moment are one frame: after a restart everybody is back within seconds, and
    a frame for each of 2,000 people to each of them would be 4,000,000.
    """

    def __init__(self, engine: Engine, hub: FeedHub) -> None:
        self._engine = engine
        self._hub = hub
        self._told: set[str] = set()
        self._last_here: dict[str, float] = {}
        """When those who are not live any more were last seen; forgotten after the grace."""

    def saw(self, user_id: str) -> None:
        """A long poll was answered; the next one is on its way."""
        self._last_here[user_id] = self._engine.clock.monotonic()

    def people(self) -> list[str]:
        """The ids of everybody who is connected, or was a moment ago."""
        users = self._engine.directory.users
        return sorted(user_id for user_id in self._told | self._hub.people if users[user_id].active)

    async def sweep(self) -> None:
        """Tell everybody who came and who went."""
        here = self._look()
        came, gone = here - self._told, self._told - here
        if came or gone:
            self._told = here
            await self._hub.signal_everybody(frames.connected(sorted(came), sorted(gone)))

    def _look(self) -> set[str]:
        now, users, live = self._engine.clock.monotonic(), self._engine.directory.users, self._hub.people
        for user_id in live & self._last_here.keys():
            del self._last_here[user_id]
        for user_id in self._told - live:
            self._last_here.setdefault(user_id, now)
        for user_id, seen_at in list(self._last_here.items()):
            if now - seen_at >= GRACE_SECONDS or not users[user_id].active:
                del self._last_here[user_id]
        return {*live, *self._last_here}
