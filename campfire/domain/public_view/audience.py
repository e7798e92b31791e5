"""Who may see an event."""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from campfire.domain.events import Event

AudienceKind = Literal["room", "everyone", "administrators", "user", "nobody"]


class Audience(msgspec.Struct, frozen=True):
    """Who may see an event. `id` is the room's or the user's; `also_user` sees it also from outside the room."""

    kind: AudienceKind
    id: str | None = None
    also_user: str | None = None


Audiences = dict[type[Event], Callable[[Any], Audience]]

NOBODY = Audience("nobody")
_EVERYONE = Audience("everyone")
_ADMINISTRATORS = Audience("administrators")


def to_everyone(_event: Any) -> Audience:
    return _EVERYONE


def to_administrators(_event: Any) -> Audience:
    return _ADMINISTRATORS


def to_room(event: Any) -> Audience:
    return Audience("room", event.room_id)


def to_room_and_user(event: Any) -> Audience:
    """Whoever has just been removed is told as well."""
    return Audience("room", event.room_id, also_user=event.user_id)


def to_user(event: Any) -> Audience:
    return Audience("user", event.user_id)
