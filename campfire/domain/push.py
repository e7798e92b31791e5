"""Web Push: which devices may be told, and whom a message is worth telling of."""

from collections.abc import Collection
from typing import Literal

import msgspec

from campfire.domain import ids
from campfire.domain.directory import Directory
from campfire.domain.errors import PushSubscriptionNotFound, SessionExpired
from campfire.domain.events import NewEvent, PushEnd, PushKeyMade, PushSubscribed, PushTested, PushUnsubscribed
from campfire.domain.push_devices import PushSubscriptionState

MOST_DEVICES = 10
"""Of one person; a further one takes the place of the one subscribed longest ago."""

Silence = Literal[
    "deleted", "room_deleted", "unsubscribed", "inactive", "not_member", "own", "muted", "read", "present"
]
"""Why a device is not to be told of a message."""


class Place(msgspec.Struct, frozen=True):
    """Where a device's pushes go: `service` is the endpoint's host, `sealed` the address and the keys."""

    service: str
    endpoint_hash: str
    sealed: str


class MessageToTell(msgspec.Struct, frozen=True):
    """What decides about telling of a message. `members` were in the room when it came and still are."""

    room_id: str
    author_id: str
    position: int
    deleted: bool
    mentioned: Collection[str]
    members: Collection[str]


def decide_make_key(directory: Directory, *, public_key: str, sealed_private_key: str, at: int) -> list[NewEvent]:
    """Keep this key unless there is one already: devices subscribe for one key only."""
    if directory.push.key is not None:
        return []
    made = PushKeyMade(at=at, public_key=public_key, sealed_private_key=sealed_private_key)
    return [NewEvent(ids.PUSH_KEY_STREAM, 1, made)]


def decide_subscribe(directory: Directory, *, session_id: str, place: Place, is_known: bool, at: int) -> list[NewEvent]:
    """Push to the device that is signed in with this session. `is_known`: it has this very place already.

    Whoever was signed in in the same browser before gets nothing there any more. Raises `SessionExpired`.
    """
    session = directory.sessions.get(session_id)
    if session is None:
        raise SessionExpired("The session has ended.")
    subscription_id = ids.push_subscription_id(session_id)
    replaced = [
        device
        for device in directory.push.by_id.values()
        if device.endpoint_hash == place.endpoint_hash and device.id != subscription_id
    ]
    if is_known and not replaced:
        return []
    others = [device for device in directory.push.of(session.user_id) if device.id != subscription_id]
    replaced += [device for device in others[: max(0, len(others) - MOST_DEVICES + 1)] if device not in replaced]
    subscribed = PushSubscribed(
        at=at,
        subscription_id=subscription_id,
        user_id=session.user_id,
        session_id=session_id,
        service=place.service,
        endpoint_hash=place.endpoint_hash,
        sealed=place.sealed,
        user_agent=session.user_agent,
    )
    return [*(_ended(device, "replaced", at) for device in replaced), NewEvent(subscription_id, None, subscribed)]


def decide_unsubscribe(directory: Directory, *, subscription_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """Push to one's own device no more. Raises `PushSubscriptionNotFound`."""
    return [_ended(own_device(directory, subscription_id, actor_id), "unsubscribed", at)]


def decide_gone(directory: Directory, *, subscription_id: str, position: int, at: int) -> list[NewEvent]:
    """The push service says that it does not know a device any more; unless it has subscribed anew since `position`."""
    device = directory.push.by_id.get(subscription_id)
    if device is None or device.position > position:
        return []
    return [_ended(device, "gone", at)]


def decide_test_push(directory: Directory, *, subscription_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """Ask for a notification on one's own device. Raises `PushSubscriptionNotFound`."""
    device = own_device(directory, subscription_id, actor_id)
    return [NewEvent(device.id, None, PushTested(at=at, subscription_id=device.id, user_id=actor_id))]


def own_device(directory: Directory, subscription_id: str, user_id: str) -> PushSubscriptionState:
    """Raises `PushSubscriptionNotFound`, also for somebody else's."""
    device = directory.push.by_id.get(subscription_id)
    if device is None or device.user_id != user_id:
        raise PushSubscriptionNotFound("You have no device with this id.")
    return device


def devices_to_tell(directory: Directory, message: MessageToTell, *, now: int) -> list[PushSubscriptionState]:
    """Every device that is to be told of a message now."""
    if _unspeakable(directory, message) is not None:
        return []
    return [
        device
        for user_id in sorted(message.members)
        if silence_towards(directory, message, user_id) is None
        for device in directory.push.of(user_id)
        if is_usable(directory, device, now)
    ]


def silence_for(directory: Directory, message: MessageToTell, subscription_id: str, *, now: int) -> Silence | None:
    """Why a device is not to be told of a message now; None if it is."""
    device = directory.push.by_id.get(subscription_id)
    if device is None or not is_usable(directory, device, now):
        return "unsubscribed"
    return _unspeakable(directory, message) or silence_towards(directory, message, device.user_id)


def is_usable(directory: Directory, device: PushSubscriptionState, now: int) -> bool:
    """Whether somebody is still signed in there; an end may be on record only a minute later."""
    session = directory.sessions.get(device.session_id)
    return session is not None and session.expires_at > now


def silence_towards(directory: Directory, message: MessageToTell, user_id: str) -> Silence | None:
    """Why somebody is not to be told of a message that can be spoken of; None if they are."""
    room_id = message.room_id
    if user_id == message.author_id:
        return "own"
    if not directory.users[user_id].active:
        return "inactive"
    if user_id not in message.members or not directory.is_member(room_id, user_id):
        return "not_member"
    involvement = directory.involvement(room_id, user_id)
    if involvement != "everything" and not (involvement == "mentions" and user_id in message.mentioned):
        return "muted"
    if directory.read_position(room_id, user_id) >= message.position:
        return "read"
    return "present" if user_id in directory.present_in(room_id) else None


def _unspeakable(directory: Directory, message: MessageToTell) -> Silence | None:
    room = directory.rooms.get(message.room_id)
    if room is None or room.deleted:
        return "room_deleted"
    return "deleted" if message.deleted else None


def _ended(device: PushSubscriptionState, reason: PushEnd, at: int) -> NewEvent:
    ended = PushUnsubscribed(at=at, subscription_id=device.id, user_id=device.user_id, reason=reason)
    return NewEvent(device.id, None, ended)
