"""Rooms."""

from collections.abc import Iterable
from typing import Literal

from campfire.domain import ids
from campfire.domain.accounts import require_administrator
from campfire.domain.directory import Directory
from campfire.domain.errors import (
    PermissionDenied,
    RoomAccessDenied,
    RoomArchivedError,
    RoomBeingDeleted,
    RoomNotFound,
    ValidationFailed,
)
from campfire.domain.events import (
    Event,
    MemberAdded,
    MemberRemoved,
    NewEvent,
    RoomArchived,
    RoomCreated,
    RoomDeleted,
    RoomKind,
    RoomKindChanged,
    RoomRenamed,
    RoomReopened,
)
from campfire.domain.names import clean_name
from campfire.domain.states import RoomState

MAX_DIRECT_MEMBERS = 21


def known_room(directory: Directory, room_id: str, user_id: str) -> RoomState:
    """The room, member or not, but for a direct room of others. Raises `RoomNotFound`.

    A direct room's id can be computed from its people's: whoever is told that it exists is told who talks to whom.
    """
    room = directory.room(room_id)
    if room.kind == "direct" and not directory.is_member(room_id, user_id):
        raise RoomNotFound("There is no room with this id.")
    return room


def readable_room(directory: Directory, room_id: str, user_id: str) -> RoomState:
    """The room, if the person is a member. Raises `RoomNotFound`, `RoomAccessDenied`."""
    room = known_room(directory, room_id, user_id)
    if not directory.is_member(room_id, user_id):
        raise RoomAccessDenied("You are not a member of this room.", room_id=room_id)
    return room


def decide_create_room(
    directory: Directory, *, room_id: str, name: str, kind: RoomKind, members: Iterable[str], actor_id: str, at: int
) -> list[NewEvent]:
    """Create a room. Open: everybody who can sign in, and every bot. Closed: `members` and the actor. Direct: the one
    room of that set of people, whose id is derived; nothing to do if it exists already.

    Raises `ValidationFailed`, `UserNotFound`, `PermissionDenied` if only administrators create rooms,
    `RoomBeingDeleted` while what was said in a direct room's last life is on its way out.
    """
    chosen = {directory.user(user_id).id for user_id in members} | {actor_id}
    if kind == "direct":
        return _direct_room(directory, name, chosen, actor_id, at)
    account = directory.account
    if account is not None and account.rooms_by_administrators_only:
        require_administrator(directory, actor_id)
    if kind == "open":
        chosen = _everybody(directory)
    created = RoomCreated(
        at=at,
        room_id=room_id,
        name=clean_name(name, "name"),
        kind=kind,
        created_by=actor_id,
        members=tuple(sorted(chosen)),
    )
    return [NewEvent(room_id, 1, created)]


def decide_archive_room(directory: Directory, *, room_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """Its creator or an administrator may; an archived room stays as it is."""
    if known_room(directory, room_id, actor_id).archived:
        readable_room(directory, room_id, actor_id)
        return []
    room = _administered_room(directory, room_id, actor_id)
    return [NewEvent(room_id, room.version + 1, RoomArchived(at=at, room_id=room_id, by=actor_id))]


def decide_reopen_room(directory: Directory, *, room_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """Bring an archived room back; its creator or an administrator may. Raises `PermissionDenied`."""
    room = readable_room(directory, room_id, actor_id)
    if not may_administer(directory, room, actor_id):
        raise PermissionDenied("Only the room's creator or an administrator may do this.")
    if not room.archived:
        return []
    return [NewEvent(room_id, room.version + 1, RoomReopened(at=at, room_id=room_id, by=actor_id))]


def decide_change_room(
    directory: Directory,
    *,
    room_id: str,
    name: str | None = None,
    kind: Literal["open", "closed"] | None = None,
    actor_id: str,
    at: int,
) -> list[NewEvent]:
    """Rename a room; open it to everybody, who then are members, or close it around who is in it.

    Its creator or an administrator may. Raises `PermissionDenied` (also for direct rooms, which have no
    name and never change), `RoomArchivedError`, `ValidationFailed`.
    """
    room = _administered_room(directory, room_id, actor_id)
    changes: list[Event] = []
    if name is not None and (name := clean_name(name, "name")) != room.name:
        changes.append(RoomRenamed(at=at, room_id=room_id, name=name, by=actor_id))
    if kind is not None and kind != room.kind:
        changes.append(RoomKindChanged(at=at, room_id=room_id, kind=kind, by=actor_id))
    opens = kind == "open" and room.kind == "closed"
    newcomers = sorted(_everybody(directory) - room.members) if opens else ()
    return [
        *(NewEvent(room_id, room.version + number, change) for number, change in enumerate(changes, 1)),
        *(member_added(directory, room_id, user_id, actor_id, at) for user_id in newcomers),
    ]


def decide_delete_room(directory: Directory, *, room_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """Delete a room with everything said in it, which goes in the background.

    Its creator or an administrator may; in a direct room every member. Raises `RoomNotFound`,
    `RoomAccessDenied`, `PermissionDenied`.
    """
    room = readable_room(directory, room_id, actor_id)
    if room.kind != "direct" and not may_administer(directory, room, actor_id):
        raise PermissionDenied("Only the room's creator or an administrator may delete it.")
    return [
        NewEvent(room_id, room.version + 1, RoomDeleted(at=at, room_id=room_id, by=actor_id)),
        *(member_removed(directory, room_id, user_id, actor_id, at) for user_id in sorted(room.members)),
    ]


def member_removed(directory: Directory, room_id: str, user_id: str, actor_id: str, at: int) -> NewEvent:
    """The event that ends somebody's membership."""
    version = directory.membership_version(room_id, user_id) + 1
    removed = MemberRemoved(at=at, room_id=room_id, user_id=user_id, by=actor_id)
    return NewEvent(ids.membership_stream(room_id, user_id), version, removed)


def member_added(directory: Directory, room_id: str, user_id: str, actor_id: str, at: int) -> NewEvent:
    """The event that makes somebody a member who is none."""
    version = directory.membership_version(room_id, user_id) + 1
    added = MemberAdded(at=at, room_id=room_id, user_id=user_id, by=actor_id)
    return NewEvent(ids.membership_stream(room_id, user_id), version, added)


def may_administer(directory: Directory, room: RoomState, actor_id: str) -> bool:
    """Whoever made a room looks after it, and every administrator."""
    return room.created_by == actor_id or directory.user(actor_id).role == "administrator"


def _everybody(directory: Directory) -> set[str]:
    """All but those who are only names, from an import, and the bot that speaks for the server."""
    users = directory.users.values()
    return {
        user.id
        for user in users
        if user.active and (user.can_sign_in or user.role == "bot") and user.id != ids.NOTICES_BOT
    }


def _direct_room(directory: Directory, name: str, chosen: set[str], actor_id: str, at: int) -> list[NewEvent]:
    if not 2 <= len(chosen) <= MAX_DIRECT_MEMBERS:
        raise ValidationFailed(
            f"A direct room needs 1 to {MAX_DIRECT_MEMBERS - 1} other people.",
            errors=[{"field": "members", "message": "has the wrong number of people"}],
        )
    room_id = ids.direct_room_id(chosen)
    before = directory.rooms.get(room_id)
    if before is not None and not before.deleted:
        return []
    if before is not None and not before.emptied:
        # What was said in it would be there again, and what is said now would go with the rest.
        raise RoomBeingDeleted("What was said between you is still being deleted; try again in a moment.")
    created = RoomCreated(
        at=at,
        room_id=room_id,
        name=clean_name(name, "name") if name else "",
        kind="direct",
        created_by=actor_id,
        members=tuple(sorted(chosen)),
    )
    return [NewEvent(room_id, 1 if before is None else before.version + 1, created)]


def _administered_room(directory: Directory, room_id: str, actor_id: str) -> RoomState:
    room = readable_room(directory, room_id, actor_id)
    if room.kind == "direct":
        raise PermissionDenied("A direct room has neither a name nor an end.")
    if not may_administer(directory, room, actor_id):
        raise PermissionDenied("Only the room's creator or an administrator may do this.")
    if room.archived:
        raise RoomArchivedError("The room is archived.")
    return room
