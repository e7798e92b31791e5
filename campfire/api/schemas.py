"""The shapes of requests and answers. They validate, and OpenAPI is made from them."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from campfire.domain.events import Involvement
from campfire.domain.webhooks import EVENT_TYPES

Password = Annotated[
    str, Meta(min_length=8, max_length=200, description="8 to 200 characters", examples=["correct horse battery"])
]
Name = Annotated[str, Meta(min_length=1, max_length=100, examples=["Grace"])]
Email = Annotated[str, Meta(min_length=3, max_length=254, examples=["grace@example.com"])]
Id = Annotated[str, Meta(min_length=1, max_length=100)]
Time = Annotated[str, Meta(description="ISO 8601, UTC, milliseconds", examples=["2026-11-23T20:28:00.000Z"])]
# Described, not enforced, here: the domain refuses the others and names those that there are.
EventType = Annotated[str, Meta(examples=["message.posted"], extra_json_schema={"enum": sorted(EVENT_TYPES)})]
Position = Annotated[int, Meta(ge=0, description="a place in the log")]


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client sends; a field that is not known is refused rather than ignored."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the server sends."""


class Setup(Request, frozen=True, kw_only=True):
    account: Name
    name: Name
    email: Email
    password: Password


class Join(Request, frozen=True, kw_only=True):
    name: Name
    email: Email
    password: Password


class SignIn(Request, frozen=True, kw_only=True):
    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=200)]


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


class PostMessage(Request, frozen=True, kw_only=True):
    body: str
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


class CreateWebhook(Request, frozen=True, kw_only=True):
    url: Annotated[
        str,
        Meta(min_length=1, max_length=2000, description="http:// or https://", examples=["https://hooks.example.com/"]),
    ]
    events: Annotated[list[EventType], Meta(min_length=1, max_length=50)]
    rooms: Annotated[list[Id], Meta(max_length=1000)] | None = None


class Author(Answer, frozen=True, kw_only=True):
    id: str
    name: str


class User(Answer, frozen=True, kw_only=True):
    id: str
    name: str
    role: Literal["administrator", "member", "bot"]
    created_at: Time
    can_sign_in: bool


class Me(Answer, frozen=True, kw_only=True):
    id: str
    name: str
    role: Literal["administrator", "member", "bot"]
    created_at: Time
    email: str | None
    session_id: str


class Users(Answer, frozen=True, kw_only=True):
    users: list[User]


class Account(Answer, frozen=True, kw_only=True):
    name: str
    join_code: str | None
    created_at: Time


class Room(Answer, frozen=True, kw_only=True):
    id: str
    name: str
    kind: Literal["open", "closed", "direct"]
    created_by: str
    created_at: Time
    archived: bool
    member_count: int
    members: list[str] | None = None
    involvement: Involvement | None = None
    unread: int = 0
    unread_mentions: int = 0
    last_message_at: Time | None = None


class Rooms(Answer, frozen=True, kw_only=True):
    rooms: list[Room]


class Members(Answer, frozen=True, kw_only=True):
    members: list[User]


class SignedIn(Answer, frozen=True, kw_only=True):
    token: str
    user: Me


class SetupDone(Answer, frozen=True, kw_only=True):
    token: str
    user: Me
    account: Account
    room: Room


class Session(Answer, frozen=True, kw_only=True):
    id: str
    created_at: Time
    expires_at: Time
    user_agent: str
    address: str
    current: bool


class Sessions(Answer, frozen=True, kw_only=True):
    sessions: list[Session]


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


class Webhook(Answer, frozen=True, kw_only=True):
    id: str
    url: str
    events: list[str]
    rooms: list[str] | None
    created_at: Time
    created_by: str


class WebhookWithSecret(Answer, frozen=True, kw_only=True):
    id: str
    url: str
    events: list[str]
    rooms: list[str] | None
    created_at: Time
    created_by: str
    secret: str


class NewSecret(Answer, frozen=True, kw_only=True):
    id: str
    secret: str
    previous_valid_until: Time


class Webhooks(Answer, frozen=True, kw_only=True):
    webhooks: list[Webhook]


class Recorded(Answer, frozen=True, kw_only=True):
    """Something was recorded at `position`."""

    position: Position


class FeedPage(Answer, frozen=True, kw_only=True):
    events: list[dict[str, Any]]
    position: Position
    epoch: str
    resync: bool


class Check(Answer, frozen=True, kw_only=True):
    ok: bool
    detail: str


class Health(Answer, frozen=True, kw_only=True):
    status: Literal["ok", "degraded", "unavailable"]
    position: Position
    checks: dict[str, Check]


class Alive(Answer, frozen=True, kw_only=True):
    status: Literal["ok"] = "ok"
