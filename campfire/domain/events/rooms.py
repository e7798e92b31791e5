"""Rooms, who is in them, who is there, and how far they have read."""

from typing import ClassVar

from campfire.domain.events.base import Event, Involvement, Origin, RoomKind


class RoomCreated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A room exists, with its first members. Stream: the room's id."""

    topic: ClassVar[str] = "room.created"

    room_id: str
    name: str
    kind: RoomKind
    created_by: str
    members: tuple[str, ...] = ()
    origin: Origin = "live"


class RoomRenamed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: the room's id."""

    topic: ClassVar[str] = "room.renamed"

    room_id: str
    name: str
    by: str


class RoomArchived(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The room stays readable; nothing can be posted. Stream: the room's id."""

    topic: ClassVar[str] = "room.archived"

    room_id: str
    by: str


class RoomDeleted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The room is gone; what was said there goes too, in the background. Stream: the room's id.

    Recorded with the removal of every member. A direct room may be created again.
    """

    topic: ClassVar[str] = "room.deleted"

    room_id: str
    by: str


class RoomEmptied(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that was said in a deleted room is deleted. Stream: the room's id."""

    topic: ClassVar[str] = "room.emptied"

    room_id: str


class RoomReopened(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An archived room is in use again. Stream: the room's id."""

    topic: ClassVar[str] = "room.reopened"

    room_id: str
    by: str


class RoomKindChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An open room became closed, or a closed one open. Stream: the room's id."""

    topic: ClassVar[str] = "room.kind_changed"

    room_id: str
    kind: RoomKind
    by: str


class MemberAdded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: `ids.membership_stream`."""

    topic: ClassVar[str] = "member.added"

    room_id: str
    user_id: str
    by: str
    origin: Origin = "live"


class MemberRemoved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The member left or was removed. Stream: `ids.membership_stream`."""

    topic: ClassVar[str] = "member.removed"

    room_id: str
    user_id: str
    by: str
    origin: Origin = "live"


class InvolvementSet(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What a member wants to hear of a room, until they leave it. Stream: `ids.involvement_stream`."""

    topic: ClassVar[str] = "room.involvement_set"

    room_id: str
    user_id: str
    involvement: Involvement


class PresenceEntered(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody opened a room (coalesced over their connections). Stream: `ids.presence_stream`."""

    topic: ClassVar[str] = "presence.entered"

    room_id: str
    user_id: str


class PresenceLeft(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: `ids.presence_stream`."""

    topic: ClassVar[str] = "presence.left"

    room_id: str
    user_id: str


class PresenceReset(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A start found presences left open by a crash and closed them all. Stream: `ids.PRESENCE_RESET_STREAM`."""

    topic: ClassVar[str] = "presence.reset"


class ReadPositionMoved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody has read a room up to a position (coalesced, only forwards). Stream: `ids.read_position_stream`."""

    topic: ClassVar[str] = "room.read"

    room_id: str
    user_id: str
    position: int
