"""Rooms and who is in them."""

from collections.abc import Iterable

from campfire.domain import ids
from campfire.domain.directory import Directory, RoomState
from campfire.domain.errors import PermissionDenied, RoomAccessDenied, RoomArchivedError, ValidationFailed
from campfire.domain.events import (
    MemberAdded,
    MemberRemoved,
    NewEvent,
    RoomArchived,
    RoomCreated,
    RoomKind,
    RoomRenamed,
)
from campfire.domain.names import clean_name

MAX_DIRECT_MEMBERS = 21


def readable_room(directory: Directory, room_id: str, user_id: str) -> RoomState:
    """The room, if the person is a member. Raises `RoomNotFound`, `RoomAccessDenied`."""
    room = directory.room(room_id)
    if not directory.is_member(room_id, user_id):
        raise RoomAccessDenied("You are not a member of this room.", room_id=room_id)
    return room


def decide_create_room(
    directory: Directory, *, room_id: str, name: str, kind: RoomKind, members: Iterable[str], actor_id: str, at: int
) -> list[NewEvent]:
    """Create a room. Open: everybody who can sign in. Closed: `members` and the actor. Direct: the one
    room of that set of people, whose id is derived; nothing to do if it exists already.

    Raises `ValidationFailed`, `UserNotFound`.
    """
    chosen = {directory.user(user_id).id for user_id in members} | {actor_id}
    if kind == "direct":
        return _direct_room(directory, name, chosen, actor_id, at)
    if kind == "open":
        chosen = {user.id for user in directory.users.values() if user.can_sign_in and user.active}
    created = RoomCreated(
        at=at,
        room_id=room_id,
        name=clean_name(name, "name"),
        kind=kind,
        created_by=actor_id,
        members=tuple(sorted(chosen)),
    )
    return [NewEvent(room_id, 1, created)]


def decide_rename_room(directory: Directory, *, room_id: str, name: str, actor_id: str, at: int) -> list[NewEvent]:
    """Its creator or an administrator may. Raises `PermissionDenied`, `RoomArchivedError`, `ValidationFailed`."""
    room = _administered_room(directory, room_id, actor_id)
    name = clean_name(name, "name")
    if name == room.name:
        return []
    return [NewEvent(room_id, room.version + 1, RoomRenamed(at=at, room_id=room_id, name=name, by=actor_id))]


def decide_archive_room(directory: Directory, *, room_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """Its creator or an administrator may; an archived room stays as it is."""
    if directory.room(room_id).archived:
        readable_room(directory, room_id, actor_id)
        return []
    room = _administered_room(directory, room_id, actor_id)
    return [NewEvent(room_id, room.version + 1, RoomArchived(at=at, room_id=room_id, by=actor_id))]


def decide_add_member(directory: Directory, *, room_id: str, user_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """A member may add others; anybody may join an open room. Nothing to do for a member.

    Raises `RoomNotFound`, `RoomAccessDenied`, `UserNotFound`, `PermissionDenied` (direct rooms), `RoomArchivedError`.
    """
    room = directory.room(room_id)
    joins_open_room = room.kind == "open" and user_id == actor_id
    if not joins_open_room:
        readable_room(directory, room_id, actor_id)
    _require_changing_members(room)
    directory.user(user_id)
    if directory.is_member(room_id, user_id):
        return []
    added = MemberAdded(at=at, room_id=room_id, user_id=user_id, by=actor_id)
    return [_membership(directory, room_id, user_id, added)]


def decide_remove_member(directory: Directory, *, room_id: str, user_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """Anybody may leave; the room's creator or an administrator may remove others. Raises as `decide_add_member`."""
    room = readable_room(directory, room_id, actor_id) if user_id != actor_id else directory.room(room_id)
    _require_changing_members(room)
    if user_id != actor_id and not _may_administer(directory, room, actor_id):
        raise PermissionDenied("Only the room's creator or an administrator may remove somebody.")
    directory.user(user_id)
    if not directory.is_member(room_id, user_id):
        return []
    removed = MemberRemoved(at=at, room_id=room_id, user_id=user_id, by=actor_id)
    return [_membership(directory, room_id, user_id, removed)]


def _membership(directory: Directory, room_id: str, user_id: str, event: MemberAdded | MemberRemoved) -> NewEvent:
    version = directory.membership_version(room_id, user_id) + 1
    return NewEvent(ids.membership_stream(room_id, user_id), version, event)


def _direct_room(directory: Directory, name: str, chosen: set[str], actor_id: str, at: int) -> list[NewEvent]:
    if not 2 <= len(chosen) <= MAX_DIRECT_MEMBERS:
        raise ValidationFailed(
            f"A direct room needs 1 to {MAX_DIRECT_MEMBERS - 1} other people.",
            errors=[{"field": "members", "message": "has the wrong number of people"}],
        )
    room_id = ids.direct_room_id(chosen)
    if room_id in directory.rooms:
        return []
    created = RoomCreated(
        at=at,
        room_id=room_id,
        name=clean_name(name, "name") if name else "",
        kind="direct",
        created_by=actor_id,
        members=tuple(sorted(chosen)),
    )
    return [NewEvent(room_id, 1, created)]


def _administered_room(directory: Directory, room_id: str, actor_id: str) -> RoomState:
    room = readable_room(directory, room_id, actor_id)
    if room.kind == "direct":
        raise PermissionDenied("A direct room has neither a name nor an end.")
    if not _may_administer(directory, room, actor_id):
        raise PermissionDenied("Only the room's creator or an administrator may do this.")
    if room.archived:
        raise RoomArchivedError("The room is archived.")
    return room


def _may_administer(directory: Directory, room: RoomState, actor_id: str) -> bool:
    return room.created_by == actor_id or directory.user(actor_id).role == "administrator"


def _require_changing_members(room: RoomState) -> None:
    if room.kind == "direct":
        raise PermissionDenied("The people of a direct room never change; start another one.")
    if room.archived:
        raise RoomArchivedError("The room is archived; its members stay as they are.")
