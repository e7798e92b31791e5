"""Rooms, who is in them, and how far they have read."""

from campfire.domain import events as happened
from campfire.domain.applying.appliers import Appliers
from campfire.domain.directory import Directory
from campfire.domain.events import RecordedEvent
from campfire.domain.states import RoomState


def _room_created(directory: Directory, event: happened.RoomCreated, recorded: RecordedEvent) -> None:
    before = directory.rooms.get(event.room_id)  # a direct room that was deleted, and is there again
    directory.add_room(
        RoomState(
            id=event.room_id,
            name=event.name,
            kind=event.kind,
            created_by=event.created_by,
            created_at=event.at,
            position=recorded.position if before is None else before.position,
            version=recorded.version,
            members=set(event.members),
            last_message_at=0 if before is None else before.last_message_at,
            last_message_position=0 if before is None else before.last_message_position,
        )
    )


def _room_renamed(directory: Directory, event: happened.RoomRenamed, recorded: RecordedEvent) -> None:
    room = directory.rooms[event.room_id]
    room.name = event.name
    room.version = recorded.version


def _room_archived(directory: Directory, event: happened.RoomArchived, recorded: RecordedEvent) -> None:
    room = directory.rooms[event.room_id]
    room.archived = True
    room.version = recorded.version


def _room_deleted(directory: Directory, event: happened.RoomDeleted, recorded: RecordedEvent) -> None:
    room = directory.rooms[event.room_id]
    room.deleted = True
    room.version = recorded.version


def _room_emptied(directory: Directory, event: happened.RoomEmptied, recorded: RecordedEvent) -> None:
    room = directory.rooms[event.room_id]
    room.emptied = True
    room.version = recorded.version


def _room_reopened(directory: Directory, event: happened.RoomReopened, recorded: RecordedEvent) -> None:
    room = directory.rooms[event.room_id]
    room.archived = False
    room.version = recorded.version


def _room_kind_changed(directory: Directory, event: happened.RoomKindChanged, recorded: RecordedEvent) -> None:
    room = directory.rooms[event.room_id]
    room.kind = event.kind
    room.version = recorded.version


def _member_added(directory: Directory, event: happened.MemberAdded, recorded: RecordedEvent) -> None:
    directory.add_member(event.room_id, event.user_id, recorded.version)


def _member_removed(directory: Directory, event: happened.MemberRemoved, recorded: RecordedEvent) -> None:
    directory.remove_member(event.room_id, event.user_id, recorded.version)


def _involvement_set(directory: Directory, event: happened.InvolvementSet, _: RecordedEvent) -> None:
    directory.set_involvement(event.room_id, event.user_id, event.involvement)


def _message_posted(directory: Directory, event: happened.MessagePosted, recorded: RecordedEvent) -> None:
    room = directory.rooms[event.room_id]
    room.last_message_position = recorded.position
    if event.at > room.last_message_at:
        room.last_message_at = event.at


def _presence_entered(directory: Directory, event: happened.PresenceEntered, _: RecordedEvent) -> None:
    directory.set_present(event.room_id, event.user_id)


def _presence_left(directory: Directory, event: happened.PresenceLeft, _: RecordedEvent) -> None:
    directory.unset_present(event.room_id, event.user_id)


def _presence_reset(directory: Directory, _event: happened.PresenceReset, _: RecordedEvent) -> None:
    directory.clear_presences()


def _read_position_moved(directory: Directory, event: happened.ReadPositionMoved, _: RecordedEvent) -> None:
    # Two moves may have been decided before either was recorded; the farther one stands.
    if event.position > directory.read_position(event.room_id, event.user_id):
        directory.set_read_position(event.room_id, event.user_id, event.position)


APPLIERS: Appliers = {
    happened.RoomCreated: _room_created,
    happened.RoomRenamed: _room_renamed,
    happened.RoomArchived: _room_archived,
    happened.RoomReopened: _room_reopened,
    happened.RoomDeleted: _room_deleted,
    happened.RoomEmptied: _room_emptied,
    happened.RoomKindChanged: _room_kind_changed,
    happened.MemberAdded: _member_added,
    happened.MemberRemoved: _member_removed,
    happened.InvolvementSet: _involvement_set,
    happened.MessagePosted: _message_posted,
    happened.PresenceEntered: _presence_entered,
    happened.PresenceLeft: _presence_left,
    happened.PresenceReset: _presence_reset,
    happened.ReadPositionMoved: _read_position_moved,
}
