"""What the server itself has to say to administrators: the room for it, who is in it, and in whose name."""

from campfire.domain import ids
from campfire.domain.directory import Directory
from campfire.domain.errors import RoomBeingDeleted
from campfire.domain.events import (
    Event,
    NewEvent,
    RoomCreated,
    RoomKindChanged,
    RoomReopened,
    UserCreated,
)
from campfire.domain.messages import decide_post
from campfire.domain.rooms import member_added, member_removed
from campfire.domain.states import RoomState

ROOM_NAME = "Administrators"
BOT_NAME = "Campfire"


def decide_room_for_notices(directory: Directory, *, at: int) -> list[NewEvent]:
    """Have a closed room whose members are all active administrators, and the bot that speaks there; nobody else.

    Made at the first notice, put in order at each: reopened if it was archived, closed if it was opened, made anew
    if it was deleted. Its name is the administrators' own affair. The bot has no key and no address: nobody signs in
    as it, and nothing calls it. Raises `RoomBeingDeleted` while what was said in the room's last life is still there.
    """
    members = {user.id for user in directory.users.values() if user.active and user.role == "administrator"}
    members.add(ids.NOTICES_BOT)
    made = [] if ids.NOTICES_BOT in directory.users else [_bot_made(at)]
    room = directory.rooms.get(ids.ADMINISTRATORS_ROOM)
    if room is None or room.deleted:
        return [*made, _room_made(room, members, at)]
    return [*made, *_room_put_right(room, at), *_members_put_right(directory, room, members, at)]


def decide_notice(directory: Directory, *, text: str, client_message_id: str, at: int) -> list[NewEvent]:
    """Say `text` in the room, cut if it is too long. It calls no bot. Raises as `decide_post`."""
    return decide_post(
        directory,
        room_id=ids.ADMINISTRATORS_ROOM,
        author_id=ids.NOTICES_BOT,
        body=text,
        client_message_id=client_message_id,
        truncate=True,
        calls_bots=False,
        at=at,
    )


def _bot_made(at: int) -> NewEvent:
    created = UserCreated(at=at, user_id=ids.NOTICES_BOT, name=BOT_NAME, role="bot", can_sign_in=False)
    return NewEvent(ids.NOTICES_BOT, 1, created)


def _room_made(before: RoomState | None, members: set[str], at: int) -> NewEvent:
    if before is not None and not before.emptied:
        raise RoomBeingDeleted("What was said in the administrators' room is still being deleted.")
    created = RoomCreated(
        at=at,
        room_id=ids.ADMINISTRATORS_ROOM,
        name=ROOM_NAME,
        kind="closed",
        created_by=ids.NOTICES_BOT,
        members=tuple(sorted(members)),
    )
    return NewEvent(ids.ADMINISTRATORS_ROOM, 1 if before is None else before.version + 1, created)


def _room_put_right(room: RoomState, at: int) -> list[NewEvent]:
    changes: list[Event] = []
    if room.archived:
        changes.append(RoomReopened(at=at, room_id=room.id, by=ids.NOTICES_BOT))
    if room.kind != "closed":
        changes.append(RoomKindChanged(at=at, room_id=room.id, kind="closed", by=ids.NOTICES_BOT))
    return [NewEvent(room.id, room.version + number, change) for number, change in enumerate(changes, 1)]


def _members_put_right(directory: Directory, room: RoomState, wanted: set[str], at: int) -> list[NewEvent]:
    here, by = room.members, ids.NOTICES_BOT
    return [
        *(member_removed(directory, room.id, user_id, by, at) for user_id in sorted(here - wanted)),
        *(member_added(directory, room.id, user_id, by, at) for user_id in sorted(wanted - here)),
    ]
