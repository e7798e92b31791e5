"""What people say."""

from typing import ClassVar

import msgspec

from campfire.domain.events.base import Attachment, DeletionReason, Event, LinkPreview, Mention, Origin


class MessagePosted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: the message's id (`ids.message_id` for live posts).

    `author_name` is the name at that moment, so that the event can be shown and sent by itself.
    `original_length` (characters) is set when the body was cut to the limit on request. A reply names
    the message that it answers and the first message of their thread. `scrubbed`: what was said is gone
    for good, and this is what a scrub left in its place. `hops`: see `campfire.domain.hops`.
    """

    topic: ClassVar[str] = "message.posted"

    message_id: str
    room_id: str
    author_id: str
    author_name: str
    body: str
    client_message_id: str
    original_length: int | None = None
    mentions: tuple[Mention, ...] = ()
    reply_to: str | None = None
    thread_id: str | None = None
    attachments: tuple[Attachment, ...] = ()
    origin: Origin = "live"
    scrubbed: bool = False
    hops: int = 0


class MessageEdited(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: the message's id."""

    topic: ClassVar[str] = "message.edited"

    message_id: str
    room_id: str
    by: str
    body: str
    original_length: int | None = None
    mentions: tuple[Mention, ...] = ()
    scrubbed: bool = False
    origin: Origin = "live"
    hops: int = 0


class MessageDeleted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: the message's id."""

    topic: ClassVar[str] = "message.deleted"

    message_id: str
    room_id: str
    by: str
    reason: DeletionReason = "deleted"
    origin: Origin = "live"


class MessagePreviewed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What the links in a message lead to; these instead of any before. Stream: the message's id."""

    topic: ClassVar[str] = "message.previewed"

    message_id: str
    room_id: str
    previews: tuple[LinkPreview, ...]
    scrubbed: bool = False


class MessagePreviewsRemoved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody took the previews away, and there will be no others. Stream: the message's id."""

    topic: ClassVar[str] = "message.previews_removed"

    message_id: str
    room_id: str
    by: str


class Tombstone(msgspec.Struct, frozen=True):
    """What a scrub left at a position: the digest (SHA-256, hex) of the state that is there now."""

    position: int
    digest: str


class MessageScrubbed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What a deleted message had said is out of the log. Stream: the message's id.

    Recorded in the transaction that rewrote the positions named, so that the chain covers the tombstones.
    """

    topic: ClassVar[str] = "message.scrubbed"

    message_id: str
    room_id: str
    tombstones: tuple[Tombstone, ...]


class MessagePinned(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The message is kept in view of its room. Stream: `ids.pin_stream`."""

    topic: ClassVar[str] = "message.pinned"

    message_id: str
    room_id: str
    by: str
    origin: Origin = "live"


class MessageUnpinned(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: `ids.pin_stream`."""

    topic: ClassVar[str] = "message.unpinned"

    message_id: str
    room_id: str
    by: str
    origin: Origin = "live"


class MessageSaved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody keeps the message for themselves. Stream: `ids.saved_stream`."""

    topic: ClassVar[str] = "message.saved"

    message_id: str
    room_id: str
    user_id: str


class MessageUnsaved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: `ids.saved_stream`."""

    topic: ClassVar[str] = "message.unsaved"

    message_id: str
    room_id: str
    user_id: str


class BoostAdded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A few characters put on a message. Stream: the boost's id. `by_name` is the name at that moment."""

    topic: ClassVar[str] = "boost.added"

    boost_id: str
    message_id: str
    room_id: str
    by: str
    by_name: str
    content: str
    origin: Origin = "live"
    hops: int = 0


class BoostRemoved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: the boost's id."""

    topic: ClassVar[str] = "boost.removed"

    boost_id: str
    message_id: str
    room_id: str
    by: str
    origin: Origin = "live"


class ThreadRead(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody has read a thread up to a position (only forwards). Stream: `ids.thread_read_stream`."""

    topic: ClassVar[str] = "thread.read"

    thread_id: str
    room_id: str
    user_id: str
    position: int
