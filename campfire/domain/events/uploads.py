"""Files that people bring, and what became of them."""

from typing import ClassVar

from campfire.domain.events.base import Attachment, Event


class UploadFinished(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A file is here, durable, and belongs to no message yet. Stream: the attachment's id."""

    topic: ClassVar[str] = "upload.finished"

    user_id: str
    attachment: Attachment
    scrubbed: bool = False


class UploadAttached(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The file went into a message, which it does once. Recorded with the message. Stream: the attachment's id."""

    topic: ClassVar[str] = "upload.attached"

    attachment_id: str
    message_id: str
    room_id: str


class UploadDiscarded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Nobody used the file in time. Stream: the attachment's id."""

    topic: ClassVar[str] = "upload.discarded"

    attachment_id: str
