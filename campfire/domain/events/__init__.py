"""Everything that can happen, as facts. The log stores these and nothing else.

Every event has a stable `topic` and a `schema` number. A changed meaning raises the number and
gets an upcaster in `campfire.eventlog.codec`; a topic is never reused. `at` is when the fact
occurred (milliseconds since the Unix epoch, UTC); when it was recorded is the log's own column.
"""

from campfire.domain.events.accounts import (
    AccountCreated,
    EmailClaimed,
    NicknameChanged,
    PasswordSet,
    SessionEnded,
    SessionStarted,
    UserCreated,
)
from campfire.domain.events.base import Event, Involvement, NewEvent, Origin, RecordedEvent, Role, RoomKind, SessionEnd
from campfire.domain.events.imports import ImportProgressed
from campfire.domain.events.messages import MessageDeleted, MessageEdited, MessagePosted
from campfire.domain.events.rooms import (
    InvolvementSet,
    MemberAdded,
    MemberRemoved,
    PresenceEntered,
    PresenceLeft,
    PresenceReset,
    ReadPositionMoved,
    RoomArchived,
    RoomCreated,
    RoomKindChanged,
    RoomRenamed,
    RoomReopened,
)
from campfire.domain.events.webhooks import (
    DeliveryReplayRequested,
    WebhookCreated,
    WebhookDeleted,
    WebhookSecretRotated,
    WebhookTested,
)

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
    RoomReopened,
    RoomKindChanged,
    MemberAdded,
    MemberRemoved,
    InvolvementSet,
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

__all__ = [
    "ALL_EVENTS",
    "AccountCreated",
    "DeliveryReplayRequested",
    "EmailClaimed",
    "Event",
    "ImportProgressed",
    "Involvement",
    "InvolvementSet",
    "MemberAdded",
    "MemberRemoved",
    "MessageDeleted",
    "MessageEdited",
    "MessagePosted",
    "NewEvent",
    "NicknameChanged",
    "Origin",
    "PasswordSet",
    "PresenceEntered",
    "PresenceLeft",
    "PresenceReset",
    "ReadPositionMoved",
    "RecordedEvent",
    "Role",
    "RoomArchived",
    "RoomCreated",
    "RoomKind",
    "RoomKindChanged",
    "RoomRenamed",
    "RoomReopened",
    "SessionEnd",
    "SessionEnded",
    "SessionStarted",
    "UserCreated",
    "WebhookCreated",
    "WebhookDeleted",
    "WebhookSecretRotated",
    "WebhookTested",
]
