"""Devices that want pushes. What ends a session ends them too: see `Directory.end_session`."""

from campfire.domain import events as happened
from campfire.domain.applying.appliers import Appliers
from campfire.domain.directory import Directory
from campfire.domain.events import RecordedEvent
from campfire.domain.push_devices import PushKeyState, PushSubscriptionState


def _key_made(directory: Directory, event: happened.PushKeyMade, _: RecordedEvent) -> None:
    directory.push.key = PushKeyState(event.public_key, event.sealed_private_key)


def _subscribed(directory: Directory, event: happened.PushSubscribed, recorded: RecordedEvent) -> None:
    if event.session_id not in directory.sessions:
        return  # decided before the session ended, and recorded after it
    directory.push.add(
        PushSubscriptionState(
            id=event.subscription_id,
            user_id=event.user_id,
            session_id=event.session_id,
            service=event.service,
            endpoint_hash=event.endpoint_hash,
            sealed=event.sealed,
            user_agent=event.user_agent,
            subscribed_at=event.at,
            position=recorded.position,
        )
    )


def _unsubscribed(directory: Directory, event: happened.PushUnsubscribed, _: RecordedEvent) -> None:
    directory.push.remove(event.subscription_id)


APPLIERS: Appliers = {
    happened.PushKeyMade: _key_made,
    happened.PushSubscribed: _subscribed,
    happened.PushUnsubscribed: _unsubscribed,
}
