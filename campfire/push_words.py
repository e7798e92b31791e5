"""What the outbox worker and the server say to each other about pushes, over the control socket.

The worker knows what happened; only the server knows who has read it by now. So it is asked before
every attempt, and no text of a message waits in the outbox.
"""

import msgspec

AUDIENCE_PATH = "/push/audience"
NOTIFICATION_PATH = "/push/notification"
GONE_PATH = "/push/gone"


class AudienceAsked(msgspec.Struct, frozen=True):
    """Which devices are to be told of a message? `position` is its place in the log."""

    message_id: str
    position: int


class DeviceToTell(msgspec.Struct, frozen=True):
    """`service` is the host of its push service."""

    id: str
    service: str


class Audience(msgspec.Struct, frozen=True):
    devices: list[DeviceToTell]


class NotificationAsked(msgspec.Struct, frozen=True):
    """What is a device to be told now? `message_id` None asks for a test notification."""

    subscription_id: str
    message_id: str | None
    position: int


class Notification(msgspec.Struct, frozen=True):
    """What a person sees. `path` on this server leads to it; `badge` counts the rooms with something to read."""

    title: str
    body: str
    path: str
    tag: str
    badge: int
    room_id: str | None = None
    message_id: str | None = None


class Told(msgspec.Struct, frozen=True):
    """Why to say nothing, or else what to send, where, and signed by which key; all that is secret is sealed.

    `device_position` is that of the device's subscribing: whether it is still the same can be told by it.
    `is_urgent`: worth waking a device for, which costs battery; it was said to this person (RFC 8030, section 5.3).
    """

    silence: str | None = None
    notification: Notification | None = None
    sealed_device: str = ""
    device_position: int = 0
    public_key: str = ""
    sealed_private_key: str = ""
    is_urgent: bool = False


class Gone(msgspec.Struct, frozen=True):
    """A push service does not know a device any more, as it was subscribed at `device_position`."""

    subscription_id: str
    device_position: int
