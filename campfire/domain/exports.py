"""Who may take a copy of what. Everybody may of what is their own."""

from campfire.domain import ids
from campfire.domain.accounts import require_administrator
from campfire.domain.directory import Directory
from campfire.domain.errors import PermissionDenied
from campfire.domain.events import AccountExported, NewEvent
from campfire.domain.rooms import may_administer, readable_room
from campfire.domain.states import RoomState


def exportable_room(directory: Directory, room_id: str, actor_id: str) -> RoomState:
    """The room, for its creator or an administrator who is in it; a direct room for each member.

    Raises `RoomNotFound`, `RoomAccessDenied`, `PermissionDenied`.
    """
    room = readable_room(directory, room_id, actor_id)
    if room.kind != "direct" and not may_administer(directory, room, actor_id):
        raise PermissionDenied("Only the room's creator or an administrator may export it.")
    return room


def decide_export_account(directory: Directory, *, actor_id: str, at: int) -> list[NewEvent]:
    """Put on record, for everybody to see, that somebody takes a copy of everything.

    Administrators may. Raises `PermissionDenied`.
    """
    require_administrator(directory, actor_id)
    return [NewEvent(ids.ACCOUNT_STREAM, None, AccountExported(at=at, by=actor_id))]
