"""What a push holds: the notification in JSON, short enough for every push service, of one of a few lengths.

The shape is that of Declarative Web Push (https://webkit.org/blog/16535/), which Safari shows without a service
worker; every other browser gives it to the service worker, which finds all it needs under `notification`.
"""

import hashlib

import msgspec

from campfire.push_keys import base64url
from campfire.push_words import Notification
from campfire.shortening import shortened

SIZES = (512, 1_024, 2_048)
"""Bytes that a payload is padded to. Bridges to other services carry some 2,700 bytes only, encryption included."""

encode = msgspec.json.Encoder().encode


def smaller_than(size: int) -> int | None:
    """The next smaller size, for a service that found this one too large; None if there is none."""
    return max((each for each in SIZES if each < size), default=None)


def fitted(notification: Notification, largest: int) -> tuple[bytes, int]:
    """The payload in at most `largest` bytes, and the size that it is to be padded to.

    What does not fit is cut from the text, then from the title.
    """
    payload = _encoded(notification)
    while len(payload) > largest:
        over = len(payload) - largest
        field, text = ("body", notification.body) if notification.body else ("title", notification.title)
        # A character takes four bytes at most, so that a few rounds are enough.
        fewer = max(1, len(text) - max(1, over // 4))
        cut = "" if len(text) <= 1 else shortened(text, fewer)
        notification = msgspec.structs.replace(notification, **{field: cut if len(cut) < len(text) else text[:-1]})
        payload = _encoded(notification)
    return payload, next(size for size in SIZES if len(payload) <= size)


def topic_of(subscription_id: str, tag: str) -> str:
    """What replaces a push that still waits at the service (RFC 8030, section 5.4); tells nobody which room it is."""
    return base64url(hashlib.sha256(f"{subscription_id} {tag}".encode()).digest()[:24])


def _encoded(notification: Notification) -> bytes:
    return encode(
        {
            "web_push": 8030,
            "notification": {
                "title": notification.title,
                "body": notification.body,
                "navigate": notification.path,
                "tag": notification.tag,
                "app_badge": str(notification.badge),
                "data": {
                    "path": notification.path,
                    "badge": notification.badge,
                    "room_id": notification.room_id,
                    "message_id": notification.message_id,
                },
            },
        }
    )
