"""What every event is, and what goes into the log and comes out of it."""

from typing import ClassVar, Literal

import msgspec

Role = Literal["administrator", "member", "bot"]
RoomKind = Literal["open", "closed", "direct"]
Involvement = Literal["everything", "mentions", "nothing", "invisible"]
"""What a member is notified of; an invisible room is not even listed among the others."""
Origin = Literal["live", "import"]
"""Where a fact came from; imported history never triggers webhooks or pushes."""

SessionEnd = Literal["signed_out", "revoked", "expired", "password_changed", "deactivated", "banned"]
LinkPurpose = Literal["transfer", "password_reset"]
PushEnd = Literal["unsubscribed", "replaced", "gone"]
"""Why a device is pushed to no more, when it is not that its session ended; gone is the push service's word."""
UserStatus = Literal["active", "deactivated", "banned", "removed"]
DeletionReason = Literal["deleted", "room_deleted", "author_removed", "retention"]
"""Why a message went: somebody deleted it, or it went with its room, its author, or its time."""

AttachmentKind = Literal["image", "video", "audio", "file"]
"""How to show it; a file is only offered for saving."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact. Subclasses name themselves by `topic`, in the past tense of the field's own words."""

    topic: ClassVar[str]
    schema: ClassVar[int] = 1

    at: int


class Mention(msgspec.Struct, frozen=True):
    """Somebody named in a body: its characters from `start` to before `end`, the `@` included."""

    user_id: str
    start: int
    end: int


class Attachment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file in a message: what it holds (SHA-256, hex; size in bytes), what it is called and what it is.

    `width` and `height` in pixels, of pictures, as they are shown.
    """

    id: str
    digest: str
    name: str
    media_type: str
    kind: AttachmentKind
    size: int
    width: int | None = None
    height: int | None = None
    animated: bool = False


class PreviewImage(msgspec.Struct, frozen=True):
    """A picture that a page shows itself with: its content (SHA-256, hex) and its size in pixels."""

    digest: str
    width: int
    height: int


class LinkPreview(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a link leads to, in the page's own words: `link` as the message has it, `url` where the page lives."""

    id: str
    link: str
    url: str
    title: str
    description: str = ""
    site_name: str = ""
    image: PreviewImage | None = None


class NewEvent(msgspec.Struct, frozen=True):
    """An event that a decision wants in the log.

    `version` is the place in the stream that it must take (the first is 1); somebody else having
    taken it is a conflict. None takes the next free place: for facts where the last word wins.
    """

    stream_id: str
    version: int | None
    event: Event


class RecordedEvent(msgspec.Struct, frozen=True):
    """An event as the log holds it. `recorded_at` in milliseconds since the epoch, never decreasing."""

    position: int
    stream_id: str
    version: int
    recorded_at: int
    event: Event
