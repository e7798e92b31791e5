"""How far somebody has read."""

from campfire.domain import ids
from campfire.domain.directory import Directory
from campfire.domain.events import NewEvent, ReadPositionMoved
from campfire.domain.rooms import readable_room


def decide_read(directory: Directory, *, room_id: str, user_id: str, position: int, at: int) -> list[NewEvent]:
    """Move a read position forwards to `position` in the log. Raises `RoomNotFound`, `RoomAccessDenied`."""
    readable_room(directory, room_id, user_id)
    if position <= directory.read_position(room_id, user_id):
        return []
    moved = ReadPositionMoved(at=at, room_id=room_id, user_id=user_id, position=position)
    return [NewEvent(ids.read_position_stream(room_id, user_id), None, moved)]
