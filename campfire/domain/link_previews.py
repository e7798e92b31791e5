"""Previews of the links in a message: taken when they come, and taken away when somebody does not want them."""

from collections.abc import Sequence

import msgspec

from campfire.domain.directory import Directory
from campfire.domain.events import LinkPreview, MessagePreviewed, MessagePreviewsRemoved, NewEvent
from campfire.domain.messages import MessageState, require_changeable


def decide_preview(
    message: MessageState, body: str, *, found: Sequence[LinkPreview], shown: Sequence[LinkPreview], at: int
) -> list[NewEvent]:
    """Show what was `found` behind the links of `body` instead of what is `shown`, if that is still wanted.

    It is not if the message is deleted, says something else by now, or has had its previews removed; nor if
    nothing is new. The stream's version sees to it that none of this happens meanwhile.
    """
    if message.deleted or message.without_previews or message.body != body or _alike(found, shown):
        return []
    previewed = MessagePreviewed(at=at, message_id=message.id, room_id=message.room_id, previews=tuple(found))
    return [NewEvent(message.id, message.version + 1, previewed)]


def decide_remove_previews(directory: Directory, message: MessageState, *, actor_id: str, at: int) -> list[NewEvent]:
    """Take the previews away for good; the message's author and administrators may. Doing it again changes nothing.

    Raises `MessageNotFound`, `PermissionDenied`, `RoomAccessDenied`, `RoomArchivedError`.
    """
    require_changeable(directory, message, actor_id)
    if message.without_previews:
        return []
    removed = MessagePreviewsRemoved(at=at, message_id=message.id, room_id=message.room_id, by=actor_id)
    return [NewEvent(message.id, message.version + 1, removed)]


def _alike(some: Sequence[LinkPreview], others: Sequence[LinkPreview]) -> bool:
    """Whether they show the same, under whatever ids."""
    return [msgspec.structs.replace(each, id="") for each in some] == [
        msgspec.structs.replace(each, id="") for each in others
    ]
