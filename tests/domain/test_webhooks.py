from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest
from domain_support.world import DAY, NOW, World
from hypothesis import example, given
from hypothesis import strategies as st

from campfire.domain.errors import DomainError, PermissionDenied, RoomNotFound, ValidationFailed, WebhookNotFound
from campfire.domain.events import (
    Condition,
    EndpointSettings,
    NewEvent,
    WebhookChanged,
    WebhookCreated,
    WebhookCursorMoved,
    WebhookDisabled,
    WebhookPaused,
    WebhookResumed,
)
from campfire.domain.web_addresses import MAX_URL
from campfire.domain.webhook_cursors import decide_move_cursor, move_id_of
from campfire.domain.webhook_rotation import LONGEST_GRACE_MS, MOST_VALID
from campfire.domain.webhooks import (
    EVENT_TYPES,
    decide_change_webhook,
    decide_create_webhook,
    decide_delete_webhook,
    decide_pause_webhook,
    decide_resume_webhook,
    decide_rotate_secret,
    decide_test_webhook,
)


def create(
    world: World,
    actor_id: str,
    url: str = "https://example.com/hook",
    events: Sequence[str] = ("message.posted",),
    rooms: Sequence[str] | None = None,
    **more: Any,
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
        **more,
    )


def change(world: World, actor_id: str, webhook_id: str, **changes: Any) -> list[NewEvent]:
    return decide_change_webhook(world.directory, webhook_id=webhook_id, actor_id=actor_id, at=NOW, **changes)


def rotate(world: World, actor_id: str, webhook_id: str, grace_ms: int = DAY, at: int = NOW) -> list[NewEvent]:
    return decide_rotate_secret(
        world.directory, webhook_id=webhook_id, sealed_secret="s", grace_ms=grace_ms, actor_id=actor_id, at=at
    )


def move(world: World, actor_id: str | None, webhook_id: str, **places: Any) -> list[NewEvent]:
    wanted = {"move_id": "m", "after": 0, "until": None, "tip": 100, **places}
    return decide_move_cursor(world.directory, webhook_id=webhook_id, actor_id=actor_id, at=NOW, **wanted)


def field_of(refusal: pytest.ExceptionInfo[ValidationFailed]) -> str:
    return str(refusal.value.extra["errors"][0]["field"])


def disable(world: World, webhook_id: str) -> None:
    version = world.directory.webhooks[webhook_id].version + 1
    disabled = WebhookDisabled(at=NOW, webhook_id=webhook_id, reason="gone", detail="It answered 410.")
    world.take([NewEvent(webhook_id, version, disabled)])


@pytest.fixture
def webhook(world: World, ada: str) -> str:
    decided = create(world, ada)
    world.take(decided)
    return decided[0].stream_id


def test_only_administrators_manage_webhooks(world: World, webhook: str, bob: str) -> None:
    """Members may neither make, change, pause, resume, test, rotate, move nor delete one."""
    attempts: list[Callable[[], object]] = [
        lambda: create(world, bob),
        lambda: change(world, bob, webhook, events=["message.edited"]),
        lambda: decide_pause_webhook(world.directory, webhook_id=webhook, actor_id=bob, at=NOW),
        lambda: decide_resume_webhook(world.directory, webhook_id=webhook, actor_id=bob, at=NOW),
        lambda: move(world, bob, webhook),
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
    assert state.previous_valid_until == (NOW + DAY,)


def test_a_test_may_be_asked_for_at_any_time(world: World, ada: str, webhook: str) -> None:
    """It takes no version from anybody, and later changes still find theirs."""
    for _ in range(3):
        world.take(decide_test_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW))
    world.take(
        decide_rotate_secret(world.directory, webhook_id=webhook, sealed_secret="n", grace_ms=1, actor_id=ada, at=NOW)
    )
    assert world.directory.webhooks[webhook].version == 5
    world.take(decide_delete_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW))
    assert webhook not in world.directory.webhooks


def test_a_deleted_webhook_is_gone(world: World, ada: str, webhook: str) -> None:
    """Nothing more can be asked of it."""
    world.take(decide_delete_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW))
    for attempt in (
        lambda: decide_test_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW),
        lambda: decide_delete_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW),
        lambda: decide_pause_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW),
        lambda: decide_resume_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW),
        lambda: change(world, ada, webhook),
        lambda: rotate(world, ada, webhook),
        lambda: move(world, ada, webhook),
        lambda: move(world, None, webhook),
    ):
        with pytest.raises(WebhookNotFound):
            attempt()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"settings": EndpointSettings(timeout=0.9)}, "settings.timeout"),
        ({"settings": EndpointSettings(timeout=30.1)}, "settings.timeout"),
        ({"settings": EndpointSettings(timeout=float("nan"))}, "settings.timeout"),
        ({"settings": EndpointSettings(rate=0.0)}, "settings.rate"),
        ({"settings": EndpointSettings(rate=10_001.0)}, "settings.rate"),
        ({"settings": EndpointSettings(concurrency=0)}, "settings.concurrency"),
        ({"settings": EndpointSettings(concurrency=101)}, "settings.concurrency"),
        ({"filter_": [Condition("body", "equals", "x")] * 11}, "filter"),
        ({"filter_": [Condition("id", "equals", 1), Condition("Body", "equals", "x")]}, "filter[1].field"),
        ({"filter_": [Condition("a..b", "equals", "x")]}, "filter[0].field"),
        ({"filter_": [Condition("a" * 101, "equals", "x")]}, "filter[0].field"),
        ({"filter_": [Condition("body", "equals", "x" * 501)]}, "filter[0].value"),
        ({"filter_": [Condition("number", "equals", 2**53)]}, "filter[0].value"),
        ({"filter_": [Condition("body", "contains", 5)]}, "filter[0].value"),
        ({"filter_": [Condition("body", "starts_with", None)]}, "filter[0].value"),
        ({"url": "ftp://example.com"}, "url"),
        ({"events": []}, "events"),
        ({"rooms": []}, "rooms"),
    ],
)
def test_what_an_endpoint_cannot_have_is_refused_by_name(
    world: World, ada: str, webhook: str, wrong: dict[str, Any], field: str
) -> None:
    """At its creation as at a change, which then changes nothing."""
    for attempt in (lambda: create(world, ada, **wrong), lambda: change(world, ada, webhook, **wrong)):
        with pytest.raises(ValidationFailed) as refused:
            attempt()
        assert field_of(refused) == field


def test_what_is_left_out_of_a_change_stays(world: World, ada: str) -> None:
    """The event says all of what is wanted from there on; every room is said by null."""
    condition = Condition("author_id", "not_equals", ada)
    settings = EndpointSettings(timeout=30.0, rate=0.1, concurrency=100, ordering="none", catch_up="skip")
    [created] = world.take(create(world, ada, rooms=[world.first_room], filter_=[condition], settings=settings))
    assert isinstance(created, WebhookCreated)
    [changed] = world.take(change(world, ada, created.webhook_id, events=["message.edited", "message.edited"]))
    assert isinstance(changed, WebhookChanged)
    assert (changed.url, changed.events) == (created.url, ("message.edited",))
    assert (changed.rooms, changed.filter, changed.settings) == ((world.first_room,), (condition,), settings)
    world.take(change(world, ada, created.webhook_id, rooms=None, filter_=[]))
    state = world.directory.webhooks[created.webhook_id]
    assert (state.rooms, state.filter, state.events) == (None, (), ("message.edited",))


def test_a_change_that_changes_nothing_is_not_recorded(world: World, ada: str, webhook: str) -> None:
    """Whether it says nothing or what is so already."""
    state = world.directory.webhooks[webhook]
    assert change(world, ada, webhook) == []
    assert change(world, ada, webhook, url=state.url, events=state.events, rooms=None, settings=state.settings) == []


def test_a_room_that_has_gone_since_keeps_nobody_from_a_change(world: World, ada: str) -> None:
    """Only rooms that are newly named must be there."""
    [created] = world.take(create(world, ada, rooms=[world.first_room]))
    assert isinstance(created, WebhookCreated)
    del world.directory.rooms[world.first_room]
    assert change(world, ada, created.webhook_id, events=["message.edited"])


def test_pausing_and_resuming_are_said_once(world: World, ada: str, webhook: str) -> None:
    """Pausing what is paused, or resuming what is active, is no news; a disabled one stays disabled if paused."""
    [paused] = world.take(decide_pause_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW))
    assert isinstance(paused, WebhookPaused) and world.directory.webhooks[webhook].state == "paused"
    assert decide_pause_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW) == []
    world.take(decide_resume_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW))
    assert world.directory.webhooks[webhook].state == "active"
    assert decide_resume_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW) == []
    disable(world, webhook)
    assert decide_pause_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW) == []


def test_resuming_says_what_becomes_of_what_waits(world: World, ada: str, webhook: str) -> None:
    """What the request says, else what the endpoint's settings say; a disabled one is enabled by it."""
    world.take(change(world, ada, webhook, settings=EndpointSettings(catch_up="latest")))
    for asked, told in ((None, "latest"), ("skip", "skip"), ("everything", "everything")):
        disable(world, webhook)
        [resumed] = world.take(
            decide_resume_webhook(world.directory, webhook_id=webhook, actor_id=ada, at=NOW, catch_up=asked)
        )
        assert isinstance(resumed, WebhookResumed) and resumed.catch_up == told
        state = world.directory.webhooks[webhook]
        assert (state.state, state.detail) == ("active", None)


def test_at_most_ten_secrets_are_valid_at_once(world: World, ada: str, webhook: str) -> None:
    """The eleventh has to wait until one ends, or end the present one at once."""
    for _ in range(MOST_VALID - 1):
        world.take(rotate(world, ada, webhook))
    with pytest.raises(ValidationFailed, match="10 secrets") as refused:
        rotate(world, ada, webhook)
    assert field_of(refused) == "grace_seconds"
    world.take(rotate(world, ada, webhook, grace_ms=0))
    with pytest.raises(ValidationFailed):
        rotate(world, ada, webhook, grace_ms=1, at=NOW + DAY - 1)
    world.take(rotate(world, ada, webhook, at=NOW + DAY))
    assert world.directory.webhooks[webhook].previous_valid_until == (NOW + 2 * DAY,)


@pytest.mark.parametrize("grace_ms", [-1, LONGEST_GRACE_MS + 1])
def test_a_grace_ends(world: World, ada: str, webhook: str, grace_ms: int) -> None:
    """After thirty days at most, and not before it began."""
    with pytest.raises(ValidationFailed) as refused:
        rotate(world, ada, webhook, grace_ms=grace_ms)
    assert field_of(refused) == "grace_seconds"


def test_a_cursor_is_moved_by_administrators_and_by_the_endpoint_itself(world: World, ada: str, webhook: str) -> None:
    """To the very beginning, to the end, with an end before that or without."""
    for actor_id, after, until in ((ada, 0, None), (None, 100, 100), (None, 3, 3), (ada, 0, 100)):
        [moved] = world.take(move(world, actor_id, webhook, after=after, until=until))
        assert isinstance(moved, WebhookCursorMoved)
        assert (moved.by, moved.after, moved.until) == (actor_id, after, until)


@pytest.mark.parametrize(
    ("places", "field"),
    [
        ({"after": -1}, "after"),
        ({"after": 101}, "after"),
        ({"after": 5, "until": 4}, "until"),
        ({"until": 101}, "until"),
    ],
)
def test_a_cursor_stays_within_the_log(
    world: World, ada: str, webhook: str, places: dict[str, int], field: str
) -> None:
    """What has not happened yet cannot be asked for."""
    with pytest.raises(ValidationFailed) as refused:
        move(world, ada, webhook, **places)
    assert field_of(refused) == field


def test_the_same_request_is_the_same_move(world: World, webhook: str) -> None:
    """By its name or by its places, and never another endpoint's."""
    other = world.new_id()
    ids = [
        move_id_of(each, asked, after, until)
        for each in (webhook, other)
        for asked, after, until in ((None, 1, None), (None, 1, 2), (None, 2, 2), ("1-now", 1, None))
    ]
    assert len(set(ids)) == len(ids)
    assert move_id_of(webhook, "1-now", 7, 8) == ids[3]
    for wrong in ("", "a b", "x" * 101, "ü"):
        with pytest.raises(ValidationFailed):
            move_id_of(webhook, wrong, 0, None)
