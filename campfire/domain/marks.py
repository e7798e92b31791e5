"""What is put on messages besides words: pins for a room, saved messages for oneself, how far a thread is read."""

from campfire.domain import ids
from campfire.domain.directory import Directory
from campfire.domain.errors import MessageNotFound, RoomArchivedError
from campfire.domain.events import (
    MessagePinned,
    MessageSaved,
    MessageUnpinned,
    MessageUnsaved,
    NewEvent,
    ThreadRead,
)
from campfire.domain.messages import MessageState
from campfire.domain.rooms import readable_room


def decide_pin(directory: Directory, message: MessageState, *, pinned: bool, actor_id: str, at: int) -> list[NewEvent]:
    """Pin a message, or take the pin away; any member may. Raises `RoomAccessDenied`, `MessageNotFound`."""
    _require_readable(directory, message, actor_id)
    if directory.room(message.room_id).archived:
        raise RoomArchivedError("The room is archived; its pins stay as they are.")
    if pinned == message.pinned:
        return []
    event_type = MessagePinned if pinned else MessageUnpinned
    event = event_type(at=at, message_id=message.id, room_id=message.room_id, by=actor_id)
    return [NewEvent(ids.pin_stream(message.id), None, event)]


def decide_save(
    directory: Directory, message: MessageState, *, saved: bool, is_saved: bool, actor_id: str, at: int
) -> list[NewEvent]:
    """Save a message for oneself, or no longer. Raises `RoomAccessDenied`, `MessageNotFound`."""
    _require_readable(directory, message, actor_id)
    if saved == is_saved:
        return []
    event_type = MessageSaved if saved else MessageUnsaved
    event = event_type(at=at, message_id=message.id, room_id=message.room_id, user_id=actor_id)
    return [NewEvent(ids.saved_stream(message.id, actor_id), None, event)]


def decide_read_thread(
    directory: Directory, first: MessageState, *, user_id: str, position: int, read_upto: int, at: int
) -> list[NewEvent]:
    """Move forwards how far somebody has read the thread that `first` began. Raises `RoomAccessDenied`."""
    readable_room(directory, first.room_id, user_id)
    if position <= read_upto:
        return []
    read = ThreadRead(at=at, thread_id=first.id, room_id=first.room_id, user_id=user_id, position=position)
    return [NewEvent(ids.thread_read_stream(first.id, user_id), None, read)]


def _require_readable(directory: Directory, message: MessageState, actor_id: str) -> None:
    readable_room(directory, message.room_id, actor_id)
    if message.deleted:
        raise MessageNotFound("The message has been deleted.")
