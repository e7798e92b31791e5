"""The short numbers by which rooms, messages and boosts are named in addresses: their positions in the log."""

from campfire.domain.directory import Directory
from campfire.domain.errors import RoomNotFound
from campfire.domain.states import RoomState

_MOST_DIGITS = 18
"""Every position has fewer; turning a very long run of digits into a number is itself an attack."""


def short_number(text: str) -> int:
    """The number; 0, where nothing ever is, for a text that is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else 0


def numbered_room(directory: Directory, text: str, user_id: str) -> RoomState:
    """The room of this number, for a member. Raises `RoomNotFound`.

    In the same words whether it is missing or somebody else's: numbers can be counted through, and nothing
    must tell which of them are rooms.
    """
    room = directory.room_numbered(short_number(text))
    if not directory.is_member(room.id, user_id):
        raise RoomNotFound("There is no room with this id.")
    return room
