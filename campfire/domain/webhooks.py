"""Webhook endpoints: who may make them, and what they may ask for."""

from collections.abc import Sequence

from campfire.domain import events as happened
from campfire.domain.accounts import require_administrator
from campfire.domain.directory import Directory
from campfire.domain.errors import WebhookNotFound, refused
from campfire.domain.events import NewEvent, WebhookCreated, WebhookDeleted, WebhookSecretRotated, WebhookTested
from campfire.domain.states import WebhookState
from campfire.domain.web_addresses import require_usable_url

EVENT_TYPES: frozenset[str] = frozenset(
    event.topic
    for event in (
        happened.UserCreated,
        happened.RoomCreated,
        happened.RoomRenamed,
        happened.RoomArchived,
        happened.RoomReopened,
        happened.RoomKindChanged,
        happened.MemberAdded,
        happened.MemberRemoved,
        happened.MessagePosted,
        happened.MessageEdited,
        happened.MessageDeleted,
        happened.MessagePinned,
        happened.MessageUnpinned,
        happened.BoostAdded,
        happened.BoostRemoved,
    )
)
"""What an endpoint can subscribe to."""


def decide_create_webhook(
    directory: Directory,
    *,
    webhook_id: str,
    url: str,
    events: Sequence[str],
    rooms: Sequence[str] | None,
    sealed_secret: str,
    actor_id: str,
    at: int,
) -> list[NewEvent]:
    """Add an endpoint; administrators may. Raises `PermissionDenied`, `ValidationFailed`, `RoomNotFound`."""
    require_administrator(directory, actor_id)
    require_usable_url(url, "url")
    _require_known_events(events)
    if rooms is not None:
        if not rooms:
            raise refused("rooms", "must name a room, or be left out to mean every room")
        for room_id in rooms:
            directory.room(room_id)
    created = WebhookCreated(
        at=at,
        webhook_id=webhook_id,
        url=url,
        events=tuple(dict.fromkeys(events)),
        rooms=None if rooms is None else tuple(dict.fromkeys(rooms)),
        sealed_secret=sealed_secret,
        by=actor_id,
    )
    return [NewEvent(webhook_id, 1, created)]


def decide_rotate_secret(
    directory: Directory, *, webhook_id: str, sealed_secret: str, grace_ms: int, actor_id: str, at: int
) -> list[NewEvent]:
    """Give the endpoint a new secret; the old one goes on signing for `grace_ms`. Raises `WebhookNotFound`."""
    webhook = administered_webhook(directory, webhook_id, actor_id)
    rotated = WebhookSecretRotated(
        at=at,
        webhook_id=webhook_id,
        sealed_secret=sealed_secret,
        previous_valid_until=at + grace_ms,
        by=actor_id,
    )
    return [NewEvent(webhook_id, webhook.version + 1, rotated)]


def decide_delete_webhook(directory: Directory, *, webhook_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """Raises `WebhookNotFound`, `PermissionDenied`."""
    webhook = administered_webhook(directory, webhook_id, actor_id)
    return [NewEvent(webhook_id, webhook.version + 1, WebhookDeleted(at=at, webhook_id=webhook_id, by=actor_id))]


def decide_test_webhook(directory: Directory, *, webhook_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """Ask for a test delivery. Raises `WebhookNotFound`, `PermissionDenied`."""
    administered_webhook(directory, webhook_id, actor_id)
    return [NewEvent(webhook_id, None, WebhookTested(at=at, webhook_id=webhook_id, by=actor_id))]


def administered_webhook(directory: Directory, webhook_id: str, actor_id: str) -> WebhookState:
    """The endpoint, for an administrator. Raises `PermissionDenied`, `WebhookNotFound`."""
    require_administrator(directory, actor_id)
    webhook = directory.webhooks.get(webhook_id)
    if webhook is None:
        raise WebhookNotFound("There is no webhook with this id.")
    return webhook


def _require_known_events(events: Sequence[str]) -> None:
    unknown = sorted(set(events) - EVENT_TYPES)
    if not events or unknown:
        known = ", ".join(sorted(EVENT_TYPES))
        raise refused("events", f"must name some of {known}")
