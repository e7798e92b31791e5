"""Web Push: the server's key, and the devices that want to be told."""

from typing import ClassVar

from campfire.domain.events.base import Event, PushEnd


class PushKeyMade(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The server can sign towards push services (RFC 8292). Stream: `ids.PUSH_KEY_STREAM`.

    `public_key` is the point in base64url, as browsers take it; the private one opens with the server's key file.
    """

    topic: ClassVar[str] = "push_key.made"

    public_key: str
    sealed_private_key: str


class PushSubscribed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A device wants pushes, or wants them elsewhere than before. It ends with its session. Stream: its id.

    `sealed` holds the endpoint's address and the device's keys, which open with the server's key file; `service` is
    the address's host, `endpoint_hash` its SHA-256 (hex), by which the same browser is known again.
    """

    topic: ClassVar[str] = "push.subscribed"

    subscription_id: str
    user_id: str
    session_id: str
    service: str
    endpoint_hash: str
    sealed: str
    user_agent: str = ""


class PushUnsubscribed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A device is pushed to no more. Stream: the subscription's id."""

    topic: ClassVar[str] = "push.unsubscribed"

    subscription_id: str
    user_id: str
    reason: PushEnd


class PushTested(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody asked for a notification on a device of theirs. Stream: the subscription's id."""

    topic: ClassVar[str] = "push.tested"

    subscription_id: str
    user_id: str
