"""Rooms, who is in them, and how far somebody has read there."""

from campfire.domain import events as happened
from campfire.domain.public_view.audience import Audiences, to_room, to_room_and_user, to_user
from campfire.domain.public_view.views import View, Views
from campfire.iso_times import iso_from_ms


def _room_created_view(event: happened.RoomCreated) -> View:
    return {
        "id": event.room_id,
        "name": event.name,
        "kind": event.kind,
        "created_by": event.created_by,
        "created_at": iso_from_ms(event.at),
        "members": list(event.members),
    }


def _member_view(event: happened.MemberAdded | happened.MemberRemoved) -> View:
    return {"room_id": event.room_id, "user_id": event.user_id, "by": event.by}


VIEWS: Views = {
    happened.RoomCreated: _room_created_view,
    happened.RoomRenamed: lambda event: {"id": event.room_id, "name": event.name, "by": event.by},
    happened.RoomArchived: lambda event: {"id": event.room_id, "by": event.by},
    happened.RoomReopened: lambda event: {"id": event.room_id, "by": event.by},
    happened.RoomKindChanged: lambda event: {"id": event.room_id, "kind": event.kind, "by": event.by},
    happened.MemberAdded: _member_view,
    happened.MemberRemoved: _member_view,
    happened.NicknameChanged: lambda event: {
        "room_id": event.room_id,
        "user_id": event.user_id,
        "new_user_id": event.new_user_id,
    },
    happened.InvolvementSet: lambda event: {"room_id": event.room_id, "involvement": event.involvement},
    happened.ReadPositionMoved: lambda event: {
        "room_id": event.room_id,
        "user_id": event.user_id,
        "position": event.position,
    },
}

AUDIENCES: Audiences = {
    happened.RoomCreated: to_room,
    happened.RoomRenamed: to_room,
    happened.RoomArchived: to_room,
    happened.RoomReopened: to_room,
    happened.RoomKindChanged: to_room,
    happened.MemberAdded: to_room_and_user,
    happened.MemberRemoved: to_room_and_user,
    happened.NicknameChanged: to_room,
    happened.InvolvementSet: to_user,
    happened.ReadPositionMoved: to_user,
}
