"""Who is told of events outside."""

from typing import ClassVar

from campfire.domain.events.base import Event


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
