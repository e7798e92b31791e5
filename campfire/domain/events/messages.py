"""What people say."""

from typing import ClassVar

from campfire.domain.events.base import Event, Origin


class MessagePosted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: the message's id (`ids.message_id` for live posts).

    `author_name` is the name at that moment, so that the event can be shown and sent by itself.
    `original_length` (characters) is set when the body was cut to the limit on request.
    """

    topic: ClassVar[str] = "message.posted"

    message_id: str
    room_id: str
    author_id: str
    author_name: str
    body: str
    client_message_id: str
    original_length: int | None = None
    origin: Origin = "live"


class MessageEdited(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: the message's id."""

    topic: ClassVar[str] = "message.edited"

    message_id: str
    room_id: str
    by: str
    body: str
    original_length: int | None = None


class MessageDeleted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: the message's id."""

    topic: ClassVar[str] = "message.deleted"

    message_id: str
    room_id: str
    by: str
