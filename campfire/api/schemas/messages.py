"""Messages and what belongs to them."""

from typing import Annotated, Literal

from msgspec import Meta

from campfire.api.schemas.base import Answer, Id, Position, Request, Time
from campfire.api.schemas.people import Author
from campfire.domain.events import AttachmentKind
from campfire.domain.uploads import MOST_IN_A_MESSAGE


class PostMessage(Request, frozen=True, kw_only=True):
    """With `uploads` (ids of files that were uploaded before) the body may be empty."""

    body: Annotated[str, Meta(description="Markdown", examples=["Hello, **everybody**"])] = ""
    uploads: Annotated[list[Id], Meta(max_length=MOST_IN_A_MESSAGE)] = []
    client_message_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    overflow: Literal["refuse", "truncate"] = "refuse"
    reply_to: Id | None = None


class AddBoost(Request, frozen=True, kw_only=True):
    content: Annotated[str, Meta(min_length=1, max_length=200, description="1 to 16 characters", examples=["👏"])]


class MarkThreadRead(Request, frozen=True, kw_only=True):
    position: Annotated[int, Meta(ge=0, le=1 << 62)]


class EditMessage(Request, frozen=True, kw_only=True):
    body: str
    overflow: Literal["refuse", "truncate"] = "refuse"


class Mention(Answer, frozen=True, kw_only=True):
    """Somebody mentioned: their present name, and the characters of the body from `start` to before `end`."""

    user_id: str
    name: str
    start: int
    end: int


class Boost(Answer, frozen=True, kw_only=True):
    id: str
    content: str
    booster: Author
    created_at: Time


class Attachment(Answer, frozen=True, kw_only=True):
    """A file. `url` gives it; `thumbnail_url` a small picture of it, of images."""

    id: str
    name: str
    media_type: str
    kind: AttachmentKind
    size: int
    width: int | None = None
    height: int | None = None
    animated: bool = False
    url: str
    thumbnail_url: str | None = None


class LinkPreview(Answer, frozen=True, kw_only=True):
    """What a link in the body leads to, in the page's own words. `image_url` gives a small picture of its picture."""

    id: str
    link: str
    url: str
    title: str
    description: str = ""
    site_name: str = ""
    image_url: str | None = None
    image_width: int | None = None
    image_height: int | None = None


class ThreadSummary(Answer, frozen=True, kw_only=True):
    """What a message began. `unread` is one's own."""

    replies: int
    unread: int
    last_reply_at: Time


class Message(Answer, frozen=True, kw_only=True):
    id: str
    position: Position
    room_id: str
    author: Author
    body: str
    plain_text: Annotated[str, Meta(description="the body without markup, mentions by their present name")]
    created_at: Time
    client_message_id: str
    duplicate: bool = False
    truncated: bool = False
    original_length: int | None = None
    edited_at: Time | None = None
    deleted_at: Time | None = None
    mentions: list[Mention] = []
    reply_to: str | None = None
    thread_id: str | None = None
    thread: ThreadSummary | None = None
    boosts: list[Boost] = []
    attachments: list[Attachment] = []
    link_previews: list[LinkPreview] = []
    pinned: bool = False
    saved: bool = False
    sound: str | None = None


class Messages(Answer, frozen=True, kw_only=True):
    messages: list[Message]


class Thread(Answer, frozen=True, kw_only=True):
    """A message and a page of the replies to it."""

    first: Message
    messages: list[Message]


class MessageVersion(Answer, frozen=True, kw_only=True):
    """What a message said once. `body` is empty if the text is gone for good."""

    body: str
    by: str
    at: Time


class MessageHistory(Answer, frozen=True, kw_only=True):
    """Oldest first; the last one is what the message says now."""

    versions: list[MessageVersion]
    deleted_at: Time | None = None
    deleted_by: str | None = None


class Sounds(Answer, frozen=True, kw_only=True):
    sounds: list[str]
