"""Webhook endpoints: who may make and change them, and what they may ask for."""

from collections.abc import Sequence

from msgspec import UNSET, UnsetType

from campfire.domain import events as happened
from campfire.domain.accounts import require_administrator
from campfire.domain.directory import Directory
from campfire.domain.errors import refused
from campfire.domain.events import (
    CatchUp,
    Condition,
    EndpointSettings,
    NewEvent,
    WebhookChanged,
    WebhookCreated,
    WebhookDeleted,
    WebhookPaused,
    WebhookResumed,
    WebhookSecretRotated,
    WebhookTested,
)
from campfire.domain.states import WebhookState
from campfire.domain.web_addresses import require_usable_url
from campfire.domain.webhook_filters import require_usable_filter
from campfire.domain.webhook_rotation import DEFAULT_GRACE_MS, require_room_for_another
from campfire.domain.webhook_settings import require_usable_settings

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
    filter_: Sequence[Condition] = (),
    settings: EndpointSettings = EndpointSettings(),  # noqa: B008 - frozen
    public_key: str | None = None,
    pull_key_hash: str | None = None,
) -> list[NewEvent]:
    """Add an endpoint; administrators may. Raises `PermissionDenied`, `ValidationFailed`, `RoomNotFound`.

    `public_key` where the sealed secret is the private half of a key; `pull_key_hash` of what reads its stream.
    """
    require_administrator(directory, actor_id)
    require_usable_url(url, "url")
    _require_known_events(events)
    if rooms is not None:
        _require_rooms(directory, rooms)
    require_usable_filter(filter_)
    require_usable_settings(settings)
    created = WebhookCreated(
        at=at,
        webhook_id=webhook_id,
        url=url,
        events=_each_once(events),
        rooms=None if rooms is None else _each_once(rooms),
        sealed_secret=sealed_secret,
        by=actor_id,
        filter=tuple(filter_),
        settings=settings,
        public_key=public_key,
        pull_key_hash=pull_key_hash,
    )
    return [NewEvent(webhook_id, 1, created)]


def decide_change_webhook(
    directory: Directory,
    *,
    webhook_id: str,
    actor_id: str,
    at: int,
    url: str | None = None,
    events: Sequence[str] | None = None,
    rooms: Sequence[str] | UnsetType | None = UNSET,
    filter_: Sequence[Condition] | None = None,
    settings: EndpointSettings | None = None,
) -> list[NewEvent]:
    """Change what an endpoint wants; what is left out stays, `rooms` None means every room.

    Nothing happens if nothing is changed. Raises as `decide_create_webhook`, and `WebhookNotFound`.
    """
    webhook = administered_webhook(directory, webhook_id, actor_id)
    if url is not None:
        require_usable_url(url, "url")
    if events is not None:
        _require_known_events(events)
    if rooms is not UNSET and rooms is not None:
        _require_rooms(directory, rooms)
    if filter_ is not None:
        require_usable_filter(filter_)
    if settings is not None:
        require_usable_settings(settings)
    changed = WebhookChanged(
        at=at,
        webhook_id=webhook_id,
        url=webhook.url if url is None else url,
        events=webhook.events if events is None else _each_once(events),
        rooms=webhook.rooms if rooms is UNSET else None if rooms is None else _each_once(rooms),
        by=actor_id,
        filter=webhook.filter if filter_ is None else tuple(filter_),
        settings=webhook.settings if settings is None else settings,
    )
    before = (webhook.url, webhook.events, webhook.rooms, webhook.filter, webhook.settings)
    if before == (changed.url, changed.events, changed.rooms, changed.filter, changed.settings):
        return []
    return [NewEvent(webhook_id, webhook.version + 1, changed)]


def decide_pause_webhook(directory: Directory, *, webhook_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """Send nothing until it is resumed; one that is sent nothing anyway stays as it is.

    Raises `WebhookNotFound`, `PermissionDenied`.
    """
    webhook = administered_webhook(directory, webhook_id, actor_id)
    if webhook.state != "active":
        return []
    return [NewEvent(webhook_id, webhook.version + 1, WebhookPaused(at=at, webhook_id=webhook_id, by=actor_id))]


def decide_resume_webhook(
    directory: Directory, *, webhook_id: str, actor_id: str, at: int, catch_up: CatchUp | None = None
) -> list[NewEvent]:
    """Serve a paused or disabled endpoint again; `catch_up` says what of what waits, None what its settings say.

    Raises `WebhookNotFound`, `PermissionDenied`.
    """
    webhook = administered_webhook(directory, webhook_id, actor_id)
    if webhook.state == "active":
        return []
    wanted = webhook.settings.catch_up if catch_up is None else catch_up
    resumed = WebhookResumed(at=at, webhook_id=webhook_id, catch_up=wanted, by=actor_id)
    return [NewEvent(webhook_id, webhook.version + 1, resumed)]


def decide_rotate_secret(
    directory: Directory,
    *,
    webhook_id: str,
    sealed_secret: str,
    actor_id: str,
    at: int,
    grace_ms: int = DEFAULT_GRACE_MS,
    public_key: str | None = None,
    pull_key_hash: str | None = None,
) -> list[NewEvent]:
    """Give the endpoint a new secret; the old one goes on signing for `grace_ms`, and those before it to their end.

    `pull_key_hash` None leaves the pull key as it is. Raises `WebhookNotFound`, `PermissionDenied`,
    `ValidationFailed` for a grace that is too long, or when too many secrets would be valid at once.
    """
    webhook = administered_webhook(directory, webhook_id, actor_id)
    require_room_for_another(webhook, grace_ms, at)
    rotated = WebhookSecretRotated(
        at=at,
        webhook_id=webhook_id,
        sealed_secret=sealed_secret,
        previous_valid_until=at + grace_ms,
        by=actor_id,
        public_key=public_key,
        pull_key_hash=pull_key_hash,
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
    return directory.webhook(webhook_id)


def _require_known_events(events: Sequence[str]) -> None:
    unknown = sorted(set(events) - EVENT_TYPES)
    if not events or unknown:
        known = ", ".join(sorted(EVENT_TYPES))
        raise refused("events", f"must name some of {known}")


def _require_rooms(directory: Directory, rooms: Sequence[str]) -> None:
    if not rooms:
        raise refused("rooms", "must name a room, or be left out to mean every room")
    for room_id in rooms:
        directory.room(room_id)


def _each_once(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
