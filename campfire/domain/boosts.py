"""Boosts: a few characters that somebody puts on a message."""

import unicodedata

import msgspec
import regex

from campfire.domain.directory import Directory
from campfire.domain.errors import BoostNotFound, MessageNotFound, PermissionDenied, ValidationFailed
from campfire.domain.events import BoostAdded, BoostRemoved, NewEvent
from campfire.domain.messages import MessageState
from campfire.domain.rooms import readable_room

MAX_CHARACTERS = 16
"""As a person counts them: grapheme clusters (UAX #29)."""
_MAX_CODE_POINTS = 128

_GRAPHEME = regex.compile(r"\X")


class BoostState(msgspec.Struct, frozen=True):
    """What a decision about an existing boost needs."""

    id: str
    message_id: str
    room_id: str
    by: str


def decide_boost(
    directory: Directory, message: MessageState, *, boost_id: str, content: str, actor_id: str, hops: int = 0, at: int
) -> list[NewEvent]:
    """Boost a message that one can read. Raises `MessageNotFound`, `RoomAccessDenied`, `ValidationFailed`."""
    readable_room(directory, message.room_id, actor_id)
    if message.deleted:
        raise MessageNotFound("The message has been deleted.")
    added = BoostAdded(
        at=at,
        boost_id=boost_id,
        message_id=message.id,
        room_id=message.room_id,
        by=actor_id,
        by_name=directory.users[actor_id].name,
        content=_clean(content),
        hops=hops,
    )
    return [NewEvent(boost_id, 1, added)]


def decide_remove_boost(directory: Directory, boost: BoostState, *, actor_id: str, at: int) -> list[NewEvent]:
    """Take back one's own boost. Raises `RoomAccessDenied`, `PermissionDenied`."""
    readable_room(directory, boost.room_id, actor_id)
    if boost.by != actor_id:
        raise PermissionDenied("Only who gave a boost may take it back.")
    removed = BoostRemoved(at=at, boost_id=boost.id, message_id=boost.message_id, room_id=boost.room_id, by=actor_id)
    return [NewEvent(boost.id, 2, removed)]


def required(boost: BoostState | None) -> BoostState:
    """Raises `BoostNotFound`."""
    if boost is None:
        raise BoostNotFound("There is no such boost; it may have been taken back.")
    return boost


def _clean(content: str) -> str:
    content = " ".join(content.split())
    if not 1 <= len(content) <= _MAX_CODE_POINTS or len(_GRAPHEME.findall(content)) > MAX_CHARACTERS:
        raise _refused(f"needs 1 to {MAX_CHARACTERS} characters")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in content):
        raise _refused("must not hold control characters")
    return content


def _refused(message: str) -> ValidationFailed:
    return ValidationFailed(f"A boost {message}.", errors=[{"field": "content", "message": message}])
