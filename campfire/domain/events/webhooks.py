"""Who is told of events outside."""

from typing import ClassVar, Literal

import msgspec

from campfire.domain.events.base import Event

Ordering = Literal["none", "room", "endpoint"]
"""What waits for what: nothing for nothing, a room's events for each other, all of an endpoint's for each other."""
CatchUp = Literal["everything", "latest", "skip"]
"""What an endpoint is sent of what piled up while it could not be reached: all, the last of each room, or nothing."""
Comparison = Literal["equals", "not_equals", "contains", "not_contains", "starts_with"]
DisabledFor = Literal["gone", "asked", "failing"]
"""Why an endpoint was disabled: it answered 410, it asked to be, or it did nothing but fail for days."""


class Condition(msgspec.Struct, frozen=True):
    """One condition on an event's public data: `field` is a dotted path into it (`author_id`, `attachments.0.kind`)."""

    field: str
    is_: Comparison = msgspec.field(name="is")
    value: str | int | bool | None


class EndpointSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an endpoint wants to be served. `timeout` in seconds (None: the server's), `rate` in deliveries a second
    (None: no limit), `concurrency` in deliveries on their way at once.
    """

    timeout: float | None = None
    rate: float | None = None
    concurrency: int = 1
    ordering: Ordering = "room"
    catch_up: CatchUp = "everything"


class WebhookCreated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An endpoint wants events. `rooms` None means every room; all of `filter` must hold. Stream: the webhook's id.

    `sealed_secret` can be opened only with the server's key file (`campfire.sealing`); `public_key` (`whpk_…`) is
    the other half of a secret that is an ed25519 key. `pull_key_hash` is of the key that reads the endpoint's stream.
    """

    topic: ClassVar[str] = "webhook.created"

    webhook_id: str
    url: str
    events: tuple[str, ...]
    rooms: tuple[str, ...] | None
    sealed_secret: str
    by: str
    filter: tuple[Condition, ...] = ()
    settings: EndpointSettings = EndpointSettings()
    public_key: str | None = None
    pull_key_hash: str | None = None


class WebhookChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An endpoint wants something else from here on; all of it is said. Stream: the webhook's id."""

    topic: ClassVar[str] = "webhook.changed"

    webhook_id: str
    url: str
    events: tuple[str, ...]
    rooms: tuple[str, ...] | None
    by: str
    filter: tuple[Condition, ...] = ()
    settings: EndpointSettings = EndpointSettings()


class WebhookSecretRotated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A new secret signs from here on; the previous one beside it until `previous_valid_until`, and so do those
    before it until their own time. Stream: the webhook's id.

    `pull_key_hash` None leaves the pull key as it was.
    """

    topic: ClassVar[str] = "webhook.secret_rotated"

    webhook_id: str
    sealed_secret: str
    previous_valid_until: int
    by: str
    public_key: str | None = None
    pull_key_hash: str | None = None


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


class WebhookPaused(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Nothing is sent until it is resumed; what happens meanwhile waits. Stream: the webhook's id."""

    topic: ClassVar[str] = "webhook.paused"

    webhook_id: str
    by: str


class WebhookResumed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A paused or disabled endpoint is served again; `catch_up` says what of what waits. Stream: the webhook's id."""

    topic: ClassVar[str] = "webhook.resumed"

    webhook_id: str
    catch_up: CatchUp
    by: str


class WebhookDisabled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The outbox gave an endpoint up; what waits for it stays. `detail` is a sentence. Stream: the webhook's id."""

    topic: ClassVar[str] = "webhook.disabled"

    webhook_id: str
    reason: DisabledFor
    detail: str


class WebhookFailing(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The outbox reports an endpoint that has done nothing but fail since `since`. Stream: the webhook's id."""

    topic: ClassVar[str] = "webhook.failing"

    webhook_id: str
    since: int
    detail: str


class WebhookRecovered(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An endpoint that was reported as failing takes deliveries again. Stream: the webhook's id."""

    topic: ClassVar[str] = "webhook.recovered"

    webhook_id: str
    since: int


class WebhookCursorMoved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Go on after position `after`: what comes up to `until` is sent, again if it was before, and what
    comes after this event. Stream: the webhook's id.

    `until` None means up to this event. Whatever waited and is not in that range is cancelled. The same
    `move_id` twice is one move. `by` None is whoever holds the endpoint's pull key.
    """

    topic: ClassVar[str] = "webhook.cursor_moved"

    webhook_id: str
    move_id: str
    after: int
    until: int | None = None
    by: str | None = None


class DeliveryReplayRequested(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Dead letters are to be sent again. Stream: `ids.replay_stream(replay_id)`.

    `deliveries` names them one by one; empty means all that fit: of `webhook_id` (None: of every endpoint), that
    died from `since` to `upto` (milliseconds, both included), of `failure_class`, with an endpoint sequence from
    `first` to `last`.
    """

    topic: ClassVar[str] = "delivery.replay_requested"

    replay_id: str
    deliveries: tuple[str, ...] = ()
    webhook_id: str | None = None
    since: int | None = None
    upto: int | None = None
    failure_class: str | None = None
    first: int | None = None
    last: int | None = None


class DeliveriesDropped(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Dead letters that nobody wants sent any more, chosen as in `DeliveryReplayRequested`. Stream:
    `ids.replay_stream(drop_id)`. `reason` is the operator's sentence.
    """

    topic: ClassVar[str] = "delivery.dropped"

    drop_id: str
    reason: str
    deliveries: tuple[str, ...] = ()
    webhook_id: str | None = None
    since: int | None = None
    upto: int | None = None
    failure_class: str | None = None
    first: int | None = None
    last: int | None = None
