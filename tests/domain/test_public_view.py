import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campfire.domain import events as happened
from campfire.domain.events import ALL_EVENTS, Event
from campfire.domain.public_view import NOBODY, audience_of, public_view
from campfire.domain.webhooks import EVENT_TYPES
from campfire.iso_times import iso_from_ms

SECRET = {
    "password_hash",
    "token_hash",
    "email",
    "sealed_secret",
    "sealed_token",
    "sealed_private_key",
    "sealed",
    "endpoint_hash",
    "pull_key_hash",
    "join_code",
    "address",
    "user_agent",
    "digest",
}
"""Fields whose content nobody but the server may see."""

LAST_MOMENT = 253_402_300_799_999


@st.composite
def marked_events(draw: st.DrawFn, event_type: type[Event]) -> tuple[Event, list[str]]:
    """An event of that type, and the secrets in it: long enough not to occur by chance."""
    fields: dict[str, Any] = {}
    secrets = []
    for field in msgspec.structs.fields(event_type):
        if field.name in SECRET:
            fields[field.name] = draw(st.uuids().map(lambda drawn: f"secret-{drawn.hex}"))
            secrets.append(fields[field.name])
        elif field.name in ("at", "since"):
            fields[field.name] = draw(st.integers(0, LAST_MOMENT))
        else:
            fields[field.name] = draw(st.from_type(field.type))
    return event_type(**fields), secrets


@pytest.mark.parametrize("event_type", ALL_EVENTS, ids=lambda event_type: event_type.topic)
@given(data=st.data())
def test_no_event_shows_a_secret(event_type: type[Event], data: st.DataObject) -> None:
    """Whatever it holds, hashes, addresses, invitations and sealed secrets stay on the server."""
    event, secrets = data.draw(marked_events(event_type))
    shown = json.dumps([public_view(event), msgspec.to_builtins(audience_of(event))])
    assert not [secret for secret in secrets if secret in shown]
    assert not [name for name in SECRET if f'"{name}":' in shown]


@pytest.mark.parametrize("event_type", ALL_EVENTS, ids=lambda event_type: event_type.topic)
@given(data=st.data())
def test_what_can_be_shown_has_somebody_to_see_it(event_type: type[Event], data: st.DataObject) -> None:
    """A view has an audience, and a private fact has none."""
    event, _ = data.draw(marked_events(event_type))
    assert (public_view(event) is None) == (audience_of(event) == NOBODY)


def test_passwords_addresses_and_the_servers_own_notes_are_private() -> None:
    """Not even that they changed is shown."""
    for event in (
        happened.PasswordSet(at=0, user_id="u", password_hash="h"),
        happened.EmailClaimed(at=0, email="a@b", user_id="u"),
        happened.ImportProgressed(at=0, source="s", lines=1, digest="d"),
        happened.DeliveryReplayRequested(at=0, replay_id="r"),
    ):
        assert public_view(event) is None


def test_sessions_are_seen_by_their_own_user_only() -> None:
    """Where somebody signs in is nobody else's business."""
    started = happened.SessionStarted(at=0, session_id="s", user_id="u", token_hash="t", expires_at=1)
    ended = happened.SessionEnded(at=0, session_id="s", user_id="u", reason="revoked")
    for event in (started, ended):
        audience = audience_of(event)
        assert (audience.kind, audience.id, audience.also_user) == ("user", "u", None)


def test_whoever_is_removed_from_a_room_learns_of_it() -> None:
    """Though no longer a member, they see that one event."""
    audience = audience_of(happened.MemberRemoved(at=0, room_id="r", user_id="u", by="a"))
    assert (audience.kind, audience.id, audience.also_user) == ("room", "r", "u")


def test_webhooks_are_seen_by_administrators_only() -> None:
    """Their addresses may be secrets themselves."""
    made = happened.WebhookCreated(
        at=0, webhook_id="w", url="https://x", events=("message.posted",), rooms=None, sealed_secret="s", by="a"
    )
    tested = happened.WebhookTested(at=0, webhook_id="w", by="a")
    assert {audience_of(event).kind for event in (made, tested)} == {"administrators"}


@pytest.mark.parametrize("event_type", ALL_EVENTS, ids=lambda event_type: event_type.topic)
@given(data=st.data())
def test_webhooks_send_only_what_a_room_or_everybody_may_see(event_type: type[Event], data: st.DataObject) -> None:
    """What an endpoint can subscribe to is never meant for one person or for administrators."""
    event, _ = data.draw(marked_events(event_type))
    if event.topic in EVENT_TYPES:
        assert audience_of(event).kind in ("room", "everyone")


@given(st.integers(0, LAST_MOMENT))
def test_times_are_iso_8601_in_utc_with_milliseconds(at: int) -> None:
    """Any parser reads back the same moment."""
    text = iso_from_ms(at)
    assert len(text) == 24 and text.endswith("Z")
    moment = datetime.fromisoformat(text)
    since_epoch = moment - datetime.fromtimestamp(0, UTC)
    assert since_epoch.days * 86_400_000 + since_epoch.seconds * 1000 + since_epoch.microseconds // 1000 == at
