"""Who has a room open. Coalesced over a person's connections before it gets here.

Being present reads a room. While somebody is present nothing counts as unread (`projections.queries.unread`), so
that no message moves a thousand read positions; the position moves when they enter, and when they are gone.
"""

from campfire.domain import ids
from campfire.domain.directory import Directory
from campfire.domain.events import NewEvent, PresenceEntered, PresenceLeft, PresenceReset
from campfire.domain.reading import decide_read
from campfire.domain.rooms import readable_room


def decide_enter(directory: Directory, *, room_id: str, user_id: str, seen: int, at: int) -> list[NewEvent]:
    """Open a room and so read it up to `seen`, a position in the log. Raises `RoomNotFound`, `RoomAccessDenied`."""
    readable_room(directory, room_id, user_id)
    if user_id in directory.present_in(room_id):
        return []
    entered = PresenceEntered(at=at, room_id=room_id, user_id=user_id)
    stream = ids.presence_stream(room_id, user_id)
    return [NewEvent(stream, None, entered), *_seen(directory, room_id, user_id, seen, at)]


def decide_leave(directory: Directory, *, room_id: str, user_id: str, seen: int, at: int) -> list[NewEvent]:
    """Leave a room that one is present in, having read it up to `seen`; otherwise nothing happens."""
    if user_id not in directory.present_in(room_id):
        return []
    left = PresenceLeft(at=at, room_id=room_id, user_id=user_id)
    stream = ids.presence_stream(room_id, user_id)
    return [NewEvent(stream, None, left), *_seen(directory, room_id, user_id, seen, at)]


def decide_presence_reset(directory: Directory, *, seen: int, at: int) -> list[NewEvent]:
    """Close every presence that a crash left open. Whoever was present has read up to `seen`."""
    if not directory.anybody_present():
        return []
    reads = [
        read for room_id, user_id in directory.presences() for read in _seen(directory, room_id, user_id, seen, at)
    ]
    return [*reads, NewEvent(ids.PRESENCE_RESET_STREAM, None, PresenceReset(at=at))]


def _seen(directory: Directory, room_id: str, user_id: str, seen: int, at: int) -> list[NewEvent]:
    """Move the read position, if there was anything to read and it is still theirs to read."""
    if not directory.is_member(room_id, user_id):
        return []
    if directory.room(room_id).last_message_position <= directory.read_position(room_id, user_id):
        return []
    return decide_read(directory, room_id=room_id, user_id=user_id, position=seen, at=at)
