"""Who has a room open. Coalesced over a person's connections before it gets here."""

from campfire.domain import ids
from campfire.domain.directory import Directory
from campfire.domain.events import NewEvent, PresenceEntered, PresenceLeft, PresenceReset
from campfire.domain.rooms import readable_room


def decide_enter(directory: Directory, *, room_id: str, user_id: str, at: int) -> list[NewEvent]:
    """Raises `RoomNotFound`, `RoomAccessDenied`."""
    readable_room(directory, room_id, user_id)
    if user_id in directory.present_in(room_id):
        return []
    entered = PresenceEntered(at=at, room_id=room_id, user_id=user_id)
    return [NewEvent(ids.presence_stream(room_id, user_id), None, entered)]


def decide_leave(directory: Directory, *, room_id: str, user_id: str, at: int) -> list[NewEvent]:
    """Leave a room that one is present in; otherwise nothing happens."""
    if user_id not in directory.present_in(room_id):
        return []
    left = PresenceLeft(at=at, room_id=room_id, user_id=user_id)
    return [NewEvent(ids.presence_stream(room_id, user_id), None, left)]


def decide_presence_reset(directory: Directory, *, at: int) -> list[NewEvent]:
    """Close every presence that a crash left open."""
    if not directory.anybody_present():
        return []
    return [NewEvent(ids.PRESENCE_RESET_STREAM, None, PresenceReset(at=at))]
