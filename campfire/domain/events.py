"""Everything that can happen, as facts. The log stores these and nothing else.

Every event has a stable `topic` and a `schema` number. A changed meaning raises the number and
gets an upcaster in `campfire.eventlog.codec`; a topic is never reused. `at` is when the fact
occurred (milliseconds since the Unix epoch, UTC); when it was recorded is the log's own column.
"""

from typing import ClassVar, Literal

import msgspec

Role = Literal["administrator", "member", "bot"]
RoomKind = Literal["open", "closed", "direct"]
Origin = Literal["live", "import"]
"""Where a fact came from; imported history never triggers webhooks or pushes."""

SessionEnd = Literal["signed_out", "revoked", "expired"]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact. Subclasses name themselves by `topic`, in the past tense of the field's own words."""

    topic: ClassVar[str]
    schema: ClassVar[int] = 1

    at: int


class AccountCreated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The server was set up. Stream: `ids.ACCOUNT_STREAM`."""

    topic: ClassVar[str] = "account.created"

    name: str
    join_code: str


class UserCreated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A person or bot exists. Stream: the user's id."""

    topic: ClassVar[str] = "user.created"

    user_id: str
    name: str
    role: Role
    email: str | None = None
    can_sign_in: bool = True
    origin: Origin = "live"


class EmailClaimed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An address belongs to a user. Stream: `ids.email_stream(email)`."""

    topic: ClassVar[str] = "email.claimed"

    email: str
    user_id: str


class PasswordSet(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A user's password hash (Argon2id, PHC string). Stream: the user's id. Never leaves the server."""

    topic: ClassVar[str] = "user.password_set"

    user_id: str
    password_hash: str


class NicknameChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An imported nickname went on as another one. Stream: `ids.imported_line_id`."""

    topic: ClassVar[str] = "user.nickname_changed"

    room_id: str
    user_id: str
    new_user_id: str
    origin: Origin = "import"


class SessionStarted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody signed in. Only the token's hash is kept (SHA-256, hex). Stream: the session's id."""

    topic: ClassVar[str] = "session.started"

    session_id: str
    user_id: str
    token_hash: str
    expires_at: int
    user_agent: str = ""
    address: str = ""


class SessionEnded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A session can no longer be used. Stream: the session's id."""

    topic: ClassVar[str] = "session.ended"

    session_id: str
    user_id: str
    reason: SessionEnd


class RoomCreated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A room exists, with its first members. Stream: the room's id."""

    topic: ClassVar[str] = "room.created"

    room_id: str
    name: str
    kind: RoomKind
    created_by: str
    members: tuple[str, ...] = ()
    origin: Origin = "live"


class RoomRenamed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: the room's id."""

    topic: ClassVar[str] = "room.renamed"

    room_id: str
    name: str
    by: str


class RoomArchived(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The room stays readable; nothing can be posted. Stream: the room's id."""

    topic: ClassVar[str] = "room.archived"

    room_id: str
    by: str


class MemberAdded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: `ids.membership_stream`."""

    topic: ClassVar[str] = "member.added"

    room_id: str
    user_id: str
    by: str
    origin: Origin = "live"


class MemberRemoved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The member left or was removed. Stream: `ids.membership_stream`."""

    topic: ClassVar[str] = "member.removed"

    room_id: str
    user_id: str
    by: str
    origin: Origin = "live"


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


class PresenceEntered(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody opened a room (coalesced over their connections). Stream: `ids.presence_stream`."""

    topic: ClassVar[str] = "presence.entered"

    room_id: str
    user_id: str


class PresenceLeft(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: `ids.presence_stream`."""

    topic: ClassVar[str] = "presence.left"

    room_id: str
    user_id: str


class PresenceReset(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A start found presences left open by a crash and closed them all. Stream: `ids.PRESENCE_RESET_STREAM`."""

    topic: ClassVar[str] = "presence.reset"


class ReadPositionMoved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody has read a room up to a position (coalesced, only forwards). Stream: `ids.read_position_stream`."""

    topic: ClassVar[str] = "room.read"

    room_id: str
    user_id: str
    position: int


class WebhookCreated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An endpoint wants events. `rooms` None means every room. Stream: the webhook's id.

    `sealed_secret` can be opened only with the server's key file (`campfire.sealing`).
    """

    topic: ClassVar[str] = "webhook.created"

    webhook_id: str
    url: str
    events: tuple[str, ...]
    rooms: tuple[str, ...] | None
    sealed_secret: str
    by: str


class WebhookSecretRotated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The previous secret goes on signing beside the new one until `previous_valid_until`. Stream: the webhook's id."""

    topic: ClassVar[str] = "webhook.secret_rotated"

    webhook_id: str
    sealed_secret: str
    previous_valid_until: int
    by: str


class WebhookDeleted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: the webhook's id."""

    topic: ClassVar[str] = "webhook.deleted"

    webhook_id: str
    by: str


class WebhookTested(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody asked for a test delivery. Stream: the webhook's id."""

    topic: ClassVar[str] = "webhook.tested"

    webhook_id: str
    by: str


class DeliveryReplayRequested(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Dead letters are to be sent again. Stream: `ids.replay_stream(replay_id)`.

    `deliveries` names them one by one; empty means all of `webhook_id` (or of every webhook)
    that died at or after `since` (milliseconds).
    """

    topic: ClassVar[str] = "delivery.replay_requested"

    replay_id: str
    deliveries: tuple[str, ...] = ()
    webhook_id: str | None = None
    since: int | None = None


class ImportProgressed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The first `lines` lines of an import are in the log. Stream: `ids.import_stream`.

    Recorded together with what they became, so that an interrupted import goes on exactly there.
    `digest` (SHA-256, hex) covers these lines: another file under the same name is noticed.
    """

    topic: ClassVar[str] = "import.progressed"

    source: str
    lines: int
    digest: str


ALL_EVENTS: tuple[type[Event], ...] = (
    AccountCreated,
    UserCreated,
    EmailClaimed,
    PasswordSet,
    NicknameChanged,
    SessionStarted,
    SessionEnded,
    RoomCreated,
    RoomRenamed,
    RoomArchived,
    MemberAdded,
    MemberRemoved,
    MessagePosted,
    MessageEdited,
    MessageDeleted,
    PresenceEntered,
    PresenceLeft,
    PresenceReset,
    ReadPositionMoved,
    WebhookCreated,
    WebhookSecretRotated,
    WebhookDeleted,
    WebhookTested,
    DeliveryReplayRequested,
    ImportProgressed,
)


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
