"""What never leaves the server, and what is whose. Written out event by event: what is not named here stays."""

import msgspec

from campfire.domain import events as happened
from campfire.domain.events import Event

SECRETS: dict[type[Event], tuple[str, ...]] = {
    happened.PasswordSet: ("password_hash",),
    happened.SessionStarted: ("token_hash",),
    happened.SignInLinkMade: ("token_hash",),
    happened.BotKeySet: ("token_hash", "sealed_token"),
    happened.WebhookCreated: ("sealed_secret", "public_key", "pull_key_hash"),
    happened.WebhookSecretRotated: ("sealed_secret", "public_key", "pull_key_hash"),
    happened.PushKeyMade: ("public_key", "sealed_private_key"),
    happened.PushSubscribed: ("endpoint_hash", "sealed"),
}
"""The fields that are worth stealing."""
WITHHELD = "withheld:"

OF_A_ROOM: frozenset[type[Event]] = frozenset(
    {
        happened.RoomCreated,
        happened.RoomRenamed,
        happened.RoomArchived,
        happened.RoomReopened,
        happened.RoomKindChanged,
        happened.MemberAdded,
        happened.MemberRemoved,
        happened.NicknameChanged,
        happened.MessagePosted,
        happened.MessageEdited,
        happened.MessageDeleted,
        happened.MessagePreviewed,
        happened.MessagePreviewsRemoved,
        happened.MessagePinned,
        happened.MessageUnpinned,
        happened.BoostAdded,
        happened.BoostRemoved,
    }
)
"""What everybody in a room may know. Who has read what, saved what, or wants to hear what is theirs alone."""

OWNERS: dict[type[Event], str] = {
    happened.UserCreated: "user_id",
    happened.EmailClaimed: "user_id",
    happened.EmailReleased: "user_id",
    happened.EmailChanged: "user_id",
    happened.PasswordSet: "user_id",
    happened.ProfileChanged: "user_id",
    happened.AvatarSet: "user_id",
    happened.RoleChanged: "user_id",
    happened.UserDeactivated: "user_id",
    happened.UserReactivated: "user_id",
    happened.UserRemoved: "user_id",
    happened.UserBanned: "user_id",
    happened.UserMessagesRemoved: "user_id",
    happened.SessionStarted: "user_id",
    happened.SessionEnded: "user_id",
    happened.SignInLinkMade: "user_id",
    happened.SignInLinkUsed: "user_id",
    happened.MemberAdded: "user_id",
    happened.MemberRemoved: "user_id",
    happened.InvolvementSet: "user_id",
    happened.PresenceEntered: "user_id",
    happened.PresenceLeft: "user_id",
    happened.ReadPositionMoved: "user_id",
    happened.ThreadRead: "user_id",
    happened.UploadFinished: "user_id",
    happened.MessagePosted: "author_id",
    happened.MessagePinned: "by",
    happened.MessageUnpinned: "by",
    happened.MessageSaved: "user_id",
    happened.MessageUnsaved: "user_id",
    happened.BoostAdded: "by",
    happened.BoostRemoved: "by",
    happened.SearchRemembered: "user_id",
    happened.SearchesForgotten: "user_id",
    happened.PushSubscribed: "user_id",
    happened.PushUnsubscribed: "user_id",
    happened.PushTested: "user_id",
}
"""Events that are somebody's own, and the field that says whose."""

ON_OWN: frozenset[type[Event]] = frozenset(
    {
        happened.MessageEdited,
        happened.MessageDeleted,
        happened.MessagePreviewed,
        happened.MessagePreviewsRemoved,
        happened.UploadAttached,
        happened.UploadDiscarded,
    }
)
"""Events that belong to whoever began their stream: what became of a message or of a file."""

NOBODYS: frozenset[type[Event]] = frozenset(
    {
        happened.AccountCreated,
        happened.AccountChanged,
        happened.AccountExported,
        happened.JoinCodeRotated,
        happened.LogoSet,
        happened.NicknameChanged,
        happened.RoomCreated,
        happened.RoomRenamed,
        happened.RoomArchived,
        happened.RoomReopened,
        happened.RoomKindChanged,
        happened.RoomDeleted,
        happened.RoomEmptied,
        happened.MessageScrubbed,
        happened.PresenceReset,
        happened.WebhookCreated,
        happened.WebhookSecretRotated,
        happened.WebhookDeleted,
        happened.WebhookTested,
        happened.WebhookChanged,
        happened.WebhookPaused,
        happened.WebhookResumed,
        happened.WebhookDisabled,
        happened.WebhookFailing,
        happened.WebhookRecovered,
        happened.WebhookCursorMoved,
        happened.DeliveryReplayRequested,
        happened.DeliveriesDropped,
        happened.ImportProgressed,
        happened.BotKeySet,
        happened.BotWebhookSet,
        happened.BotCommandsSet,
        happened.BotCalled,
        happened.PushKeyMade,
    }
)
"""Events that a person's export never has; of rooms it has a line each."""


def withheld(event: Event, stream_id: str, version: int) -> Event | None:
    """The event without its secrets, which are marked as withheld, each otherwise; None if it has none."""
    fields = SECRETS.get(type(event))
    if fields is None:
        return None
    there = [name for name in fields if getattr(event, name) is not None]
    return msgspec.structs.replace(event, **dict.fromkeys(there, f"{WITHHELD}{stream_id}:{version}"))


def as_imported(event: Event) -> Event:
    """The event as it will be wherever it is brought: history, of which nobody is notified."""
    return msgspec.structs.replace(event, origin="import") if hasattr(event, "origin") else event
