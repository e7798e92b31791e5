"""Web Push."""

from typing import Annotated

import msgspec
from msgspec import Meta

from campfire.api.schemas.base import Answer, Request, Time

# Those of RFC 8291, appendix A.
DeviceKey = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        description="base64url, as the browser gives it",
        examples=["BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"],
    ),
]
DeviceSecret = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        description="base64url, as the browser gives it",
        examples=["BTBZMqHH6r4Tts7J_aSIgg"],
    ),
]


class PushKeys(Request, frozen=True, kw_only=True):
    p256dh: DeviceKey
    auth: DeviceSecret


class Subscribe(Request, frozen=True, kw_only=True):
    """A browser's PushSubscription as its `toJSON` writes it."""

    endpoint: Annotated[
        str, Meta(min_length=1, max_length=2000, description="https://", examples=["https://push.example.com/send/abc"])
    ]
    keys: PushKeys
    expiration_time: float | None = msgspec.field(name="expirationTime", default=None)
    """Not heeded: the push service says itself when it is over."""


class PushKey(Answer, frozen=True, kw_only=True):
    key: Annotated[str, Meta(description="the applicationServerKey, base64url")]


class PushDevice(Answer, frozen=True, kw_only=True):
    id: str
    service: Annotated[str, Meta(description="the host of the push service")]
    created_at: Time
    user_agent: str
    current: Annotated[bool, Meta(description="whether it is the device that asks")]


class PushDevices(Answer, frozen=True, kw_only=True):
    push_subscriptions: list[PushDevice]
