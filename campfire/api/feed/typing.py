"""Who is typing where. Never an event, and over by itself."""

from campfire.api.feed import frames
from campfire.api.feed.hub import FeedHub
from campfire.api.feed.presences import Place
from campfire.domain.rooms import readable_room
from campfire.engine import Engine

TYPING_SECONDS = 5.0
"""Typing that is not renewed is over."""
_BETWEEN_SECONDS = 1.0
"""Between two times that the others are told that the same person types."""
_MOST_TYPING = 10_000
"""Places; whoever would be one more is not announced. Each is free again after some seconds."""


class _Typist:
    """When somebody was last heard to type, when the others were last told so, and whether they still think so."""

    __slots__ = ("heard_at", "shown", "told_at")

    def __init__(self) -> None:
        self.heard_at = self.told_at = float("-inf")
        self.shown = False


class Typing:
    """One for the server."""

    def __init__(self, engine: Engine, hub: FeedHub) -> None:
        self._engine = engine
        self._hub = hub
        self._typists: dict[Place, _Typist] = {}

    def start(self, room_id: str, user_id: str) -> None:
        """Somebody types, or still does; the others are told at most once a second.

        Raises `RoomNotFound`, `RoomAccessDenied`.
        """
        readable_room(self._engine.directory, room_id, user_id)
        typist = self._typists.get((room_id, user_id))
        if typist is None:
            if len(self._typists) >= _MOST_TYPING:
                return
            typist = self._typists[room_id, user_id] = _Typist()
        now = self._engine.clock.monotonic()
        typist.heard_at = now
        if now - typist.told_at >= _BETWEEN_SECONDS:
            typist.told_at, typist.shown = now, True
            self._tell((room_id, user_id), is_typing=True)

    def stop(self, room_id: str, user_id: str) -> None:
        """They stopped. Raises `RoomNotFound`, `RoomAccessDenied`."""
        readable_room(self._engine.directory, room_id, user_id)
        self.over((room_id, user_id))

    def over(self, place: Place) -> None:
        """Somebody is certainly not typing there: they posted, left, or are gone."""
        typist = self._typists.get(place)
        if typist is not None and typist.shown:
            typist.shown = False  # kept for a second, so that starting again is no way to be announced more often
            self._tell(place, is_typing=False)

    def over_everywhere(self, user_id: str) -> None:
        """Nothing connects somebody any more."""
        for place in [each for each in self._typists if each[1] == user_id]:
            self.over(place)

    def sweep(self) -> None:
        """End what was not renewed."""
        now = self._engine.clock.monotonic()
        for place, typist in list(self._typists.items()):
            if typist.shown and now - typist.heard_at >= TYPING_SECONDS:
                self.over(place)
            if not typist.shown and now - typist.told_at >= _BETWEEN_SECONDS:
                del self._typists[place]

    def _tell(self, place: Place, *, is_typing: bool) -> None:
        room_id, user_id = place
        name = self._engine.directory.users[user_id].name
        self._hub.signal_room(room_id, frames.typing(room_id, user_id, name, is_typing=is_typing), but_user=user_id)
