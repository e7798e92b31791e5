"""Rooms and their members."""

from typing import Annotated, Literal

from msgspec import Meta

from campfire.api.schemas.base import Answer, Id, Name, Position, Request, Time
from campfire.api.schemas.people import User
from campfire.domain.events import Involvement


class CreateRoom(Request, frozen=True, kw_only=True):
    name: Annotated[str, Meta(max_length=100)] = ""
    kind: Literal["open", "closed", "direct"] = "open"
    members: Annotated[list[Id], Meta(max_length=5000)] = []


class ChangeRoom(Request, frozen=True, kw_only=True):
    """What is left out stays."""

    name: Name | None = None
    kind: Literal["open", "closed"] | None = None


class SetInvolvement(Request, frozen=True, kw_only=True):
    involvement: Involvement


class AddMember(Request, frozen=True, kw_only=True):
    user_id: Id


class MarkRead(Request, frozen=True, kw_only=True):
    """Up to where: exactly one of the two."""

    position: Annotated[int, Meta(ge=0, le=1 << 62)] | None = None
    message_id: Id | None = None


class Room(Answer, frozen=True, kw_only=True):
    """A room as one person sees it: `unread` messages follow after `read_position`, the last that they have read.

    `number` is short and never changes.
    """

    id: str
    number: int
    name: str
    kind: Literal["open", "closed", "direct"]
    created_by: str
    created_at: Time
    archived: bool
    member_count: int
    members: list[str] | None = None
    involvement: Involvement | None = None
    read_position: Position = 0
    unread: int = 0
    unread_mentions: int = 0
    last_message_at: Time | None = None


class Rooms(Answer, frozen=True, kw_only=True):
    rooms: list[Room]


class Members(Answer, frozen=True, kw_only=True):
    members: list[User]


class Presence(Answer, frozen=True, kw_only=True):
    """Somebody who has a room open, on however many devices, and since when."""

    user_id: str
    since: Time


class RoomPresence(Answer, frozen=True, kw_only=True):
    present: list[Presence]


class Connected(Answer, frozen=True, kw_only=True):
    """The ids of the people who follow the feed now. A bot that is only called appears in it never."""

    connected: list[str]
