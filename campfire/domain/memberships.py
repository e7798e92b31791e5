"""Who is in a room, and what they want to hear of it."""

from campfire.domain import ids
from campfire.domain.directory import Directory
from campfire.domain.errors import PermissionDenied, RoomArchivedError, UserNotFound
from campfire.domain.events import Involvement, InvolvementSet, NewEvent
from campfire.domain.rooms import known_room, may_administer, member_added, member_removed, readable_room
from campfire.domain.states import RoomState


def decide_add_member(directory: Directory, *, room_id: str, user_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """A member may add others; anybody may join an open room. Nothing to do for a member.

    Raises `RoomNotFound`, `RoomAccessDenied`, `UserNotFound`, `PermissionDenied` (direct rooms), `RoomArchivedError`.
    """
    room = known_room(directory, room_id, actor_id)
    joins_open_room = room.kind == "open" and user_id == actor_id
    if not joins_open_room:
        readable_room(directory, room_id, actor_id)
    _require_changing_members(room)
    if not directory.user(user_id).active:
        raise UserNotFound("This person is no longer here.")
    if directory.is_member(room_id, user_id):
        return []
    return [member_added(directory, room_id, user_id, actor_id, at)]


def decide_remove_member(directory: Directory, *, room_id: str, user_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """Anybody may leave; the room's creator or an administrator may remove others. Raises as `decide_add_member`."""
    if user_id == actor_id and not directory.is_member(room_id, user_id):
        known_room(directory, room_id, actor_id)
        return []  # before anything else: an outsider learns nothing of the room
    room = readable_room(directory, room_id, actor_id)
    _require_changing_members(room)
    if user_id != actor_id and not may_administer(directory, room, actor_id):
        raise PermissionDenied("Only the room's creator or an administrator may remove somebody.")
    directory.user(user_id)
    if not directory.is_member(room_id, user_id):
        return []
    return [member_removed(directory, room_id, user_id, actor_id, at)]


def decide_set_involvement(
    directory: Directory, *, room_id: str, user_id: str, involvement: Involvement, at: int
) -> list[NewEvent]:
    """Choose what to hear of a room. Raises `RoomNotFound`, `RoomAccessDenied`."""
    readable_room(directory, room_id, user_id)
    if involvement == directory.involvement(room_id, user_id):
        return []
    chosen = InvolvementSet(at=at, room_id=room_id, user_id=user_id, involvement=involvement)
    return [NewEvent(ids.involvement_stream(room_id, user_id), None, chosen)]


def _require_changing_members(room: RoomState) -> None:
    if room.kind == "direct":
        raise PermissionDenied("The people of a direct room never change; start another one.")
    if room.archived:
        raise RoomArchivedError("The room is archived; its members stay as they are.")
