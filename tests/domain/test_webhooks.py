from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import pytest
from domain_support.world import DAY, NOW, World
from hypothesis import example, given
from hypothesis import strategies as st

from campfire.domain.errors import DomainError, PermissionDenied, RoomNotFound, ValidationFailed, WebhookNotFound
from campfire.domain.events import NewEvent, WebhookCreated
from campfire.domain.web_addresses import MAX_URL
from campfire.domain.webhooks import (
    EVENT_TYPES,
    decide_create_webhook,
    decide_delete_webhook,
    decide_rotate_secret,
    decide_test_webhook,
)


def create(
    world: World,
    actor_id: str,
    url: str = "https://example.com/hook",
    events: Sequence[str] = ("message.posted",),
    rooms: Sequence[str] | None = None,
) -> list[NewEvent]:
    return decide_create_webhook(
        world.directory,
        webhook_id=world.new_id(),
        url=url,
        events=events,
        rooms=rooms,
        sealed_secret="sealed",
        actor_id=actor_id,
        at=NOW,
    )


@pytest.fixture
def webhook(world: World, ada: str) -> str:
    decided = create(world, ada)
    world.take(decided)
    return decided[0].stream_id


def test_only_administrators_manage_webhooks(world: World, webhook: str, bob: str) -> None:
    """Members may neither make, test, rotate nor delete one."""
    attempts: list[Callable[[], object]] = [
        lambda: create(world, bob),
        lambda: decide_test_webhook(world.directory, webhook_id=webhook, actor_id=bob, at=NOW),
        lambda: decide_rotate_secret(
            world.directory, webhook_id=webhook, sealed_secret="s", grace_ms=DAY, actor_id=bob, at=NOW
        ),
        lambda: decide_delete_webhook(world.directory, webhook_id=webhook, actor_id=bob, at=NOW),
    ]
    for attempt in attempts:
        with pytest.raises(PermissionDenied):
            attempt()


def test_what_is_named_twice_is_wanted_once(world: World, ada: str) -> None:
    """Events and rooms keep their order and lose their repeats."""
    [created] = world.take(
        create(
            world,
            ada,
            events=["message.deleted", "message.posted", "message.deleted"],
            rooms=[world.first_room, world.first_room],
        )
    )
    assert isinstance(created, WebhookCreated)
    assert created.events == ("message.deleted", "message.posted") and created.rooms == (world.first_room,)


@pytest.mark.parametrize(
    "events", [[], ["message.shouted"], ["message.posted", "session.started"], ["webhook.created"]]
)
def test_only_events_that_may_leave_the_server_can_be_wanted(world: World, ada: str, events: list[str]) -> None:
    """Sign-ins, webhooks and other private facts are not among them; the refusal says what is."""
    with pytest.raises(ValidationFailed, match=r"message\.posted"):
        create(world, ada, events=events)
    assert not {topic for topic in EVENT_TYPES if topic.startswith(("session", "webhook", "account", "email"))}


def test_the_rooms_of_a_webhook_exist(world: World, ada: str) -> None:
    """No room at all is a mistake; every room is said by leaving them out."""
    with pytest.raises(RoomNotFound):
        create(world, ada, rooms=[world.new_id()])
    with pytest.raises(ValidationFailed):
        create(world, ada, rooms=[])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hook",
        "ftp://example.com/",
        "javascript:alert(1)",
        "http://",
        "https:///path",
        "http://user:secret@example.com/",
        "http://user@example.com/",
        "http://[::1/",
        "http://example.com:99999/",
        "http://example.com/a b",
        "http://example.com/\r\nX-Evil: 1",
        "http://example.com/\0",
        "http://exa\ud800mple.com/",
        "https://example.com/" + "x" * MAX_URL,
    ],
)
def test_an_address_that_cannot_work_is_refused(world: World, ada: str, url: str) -> None:
    """At once and by name, not at the first delivery."""
    with pytest.raises(ValidationFailed) as refused:
        create(world, ada, url=url)
    assert refused.value.extra["errors"][0]["field"] == "url"


any_text = st.text(st.characters(exclude_categories=()))


@given(any_text | st.builds("{}://{}".format, st.sampled_from(["http", "https"]), any_text))
@example("http://℀.example")
@example("http://[v1.x]/")
def test_any_text_is_an_address_or_is_refused_by_name(url: str) -> None:
    """What is kept names a host, over HTTP or HTTPS, without a password."""
    world = World()
    ada = world.found()
    try:
        world.take(create(world, ada, url=url))
    except DomainError:
        return
    parts = urlsplit(url)
    assert parts.scheme in ("http", "https") and parts.hostname and parts.password is None and url.isprintable()


def test_after_a_rotation_the_old_secret_goes_on_for_a_while(world: World, ada: str, webhook: str) -> None:
    """So that a receiver can change over without losing anything."""
    world.take(
        decide_rotate_secret(
            world.directory, webhook_id=webhook, sealed_secret="new", grace_ms=DAY, actor_id=ada, at=NOW
        )
    )
    state = world.directory.webhooks[webhook]
    assert state.previous_valid_until == NOW + DAY


def test_a_test_may_be_asked_for_at_any_time(world: World, ada: str, webhook: str) -> None:
    """It takes no version from anybody, and later changes still find theirs."""
    for _ in range(3):
        world.take(decide_test_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW))
    world.take(
        decide_rotate_secret(world.directory, webhook_id=webhook, sealed_secret="n", grace_ms=1, actor_id=ada, at=NOW)
    )
    world.take(decide_delete_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW))


def test_a_deleted_webhook_is_gone(world: World, ada: str, webhook: str) -> None:
    """Nothing more can be asked of it."""
    world.take(decide_delete_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW))
    for attempt in (
        lambda: decide_test_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW),
        lambda: decide_delete_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW),
    ):
        with pytest.raises(WebhookNotFound):
            attempt()
