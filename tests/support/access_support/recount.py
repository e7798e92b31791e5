"""Unread counts by going through the log from its beginning, without any read model."""

from collections.abc import Iterable

from campfire.domain import events as happened
from campfire.domain.events import RecordedEvent


class Recount:
    """What one person has not read, as far as the log has been gone through."""

    def __init__(self, user_id: str) -> None:
        self._user_id = user_id
        self._joined: dict[str, int] = {}
        self._read: dict[str, int] = {}
        self._standing: dict[str, tuple[str, int]] = {}
        self._mentioning: set[str] = set()

    def take(self, recorded: RecordedEvent) -> None:
        self._take_membership(recorded)
        event = recorded.event
        if isinstance(event, happened.MessagePosted) and event.author_id != self._user_id:
            self._standing[event.message_id] = (event.room_id, recorded.position)
        if isinstance(event, happened.MessageDeleted):
            self._standing.pop(event.message_id, None)
        if isinstance(event, happened.MessagePosted | happened.MessageEdited):
            self._mentioning.discard(event.message_id)
            if any(mention.user_id == self._user_id for mention in event.mentions):
                self._mentioning.add(event.message_id)

    def _take_membership(self, recorded: RecordedEvent) -> None:
        me, event = self._user_id, recorded.event
        match event:
            case happened.RoomCreated() if me in event.members:
                self._joined[event.room_id] = recorded.position
            case happened.MemberAdded() if event.user_id == me:
                self._joined[event.room_id] = recorded.position
            case happened.MemberRemoved() if event.user_id == me:
                del self._joined[event.room_id]
            case happened.ReadPositionMoved() if event.user_id == me:
                self._read[event.room_id] = max(event.position, self._read.get(event.room_id, 0))

    def counts(self) -> dict[str, tuple[int, int]]:
        counts = dict.fromkeys(self._joined, (0, 0))
        for message_id, (room_id, position) in self._standing.items():
            if room_id in counts and position > max(self._joined[room_id], self._read.get(room_id, 0)):
                messages, mentions = counts[room_id]
                counts[room_id] = (messages + 1, mentions + (message_id in self._mentioning))
        return counts


def unread_by_log(log: Iterable[RecordedEvent], user_id: str) -> dict[str, tuple[int, int]]:
    """For each room that somebody is in at the end: messages that they have not read, and that mention them."""
    recount = Recount(user_id)
    for recorded in log:
        recount.take(recorded)
    return recount.counts()
