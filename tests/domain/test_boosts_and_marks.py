import pytest
from domain_support.world import NOW, World

from campfire.domain.boosts import BoostState, decide_boost, decide_remove_boost, required
from campfire.domain.errors import (
    BoostNotFound,
    MessageNotFound,
    PermissionDenied,
    RoomAccessDenied,
    RoomArchivedError,
    ValidationFailed,
)
from campfire.domain.events import BoostAdded, MessagePosted, NewEvent
from campfire.domain.marks import decide_pin, decide_read_thread, decide_save
from campfire.domain.messages import MessageState, decide_delete, decide_post
from campfire.domain.rooms import decide_archive_room
from campfire.domain.sounds import SOUNDS, sound_of

FAMILY = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}\u200d\N{BOY}"


@pytest.fixture
def message(world: World, ada: str, bob: str) -> MessageState:
    """Ada's, in the first room."""
    return world.post(world.first_room, ada)


def boost(world: World, message: MessageState, by: str, content: str) -> str:
    [event] = world.take(
        decide_boost(world.directory, message, boost_id=world.new_id(), content=content, actor_id=by, at=NOW)
    )
    assert isinstance(event, BoostAdded)
    return event.content


@pytest.mark.parametrize("content", ["👏", "nice", "x" * 16, FAMILY * 8, "🇩🇪", " two  words "])
def test_a_boost_is_a_few_characters(world: World, message: MessageState, bob: str, content: str) -> None:
    """As a person counts them, without space around."""
    assert boost(world, message, bob, content) == " ".join(content.split())


@pytest.mark.parametrize("content", ["", "  ", "x" * 17, FAMILY * 17, "a\x1b[2J", "\ud800", "e" + "\u0301" * 500])
def test_anything_else_is_no_boost(world: World, message: MessageState, bob: str, content: str) -> None:
    """Nor are control characters, half characters or towers of accents."""
    with pytest.raises(ValidationFailed):
        boost(world, message, bob, content)


def test_boosts_are_for_who_can_read_the_message(world: World, ada: str, bob: str, eve: str) -> None:
    """And there is none on what was deleted."""
    room = world.room("closed", ada, bob)
    secret = world.post(room, ada)
    with pytest.raises(RoomAccessDenied):
        boost(world, secret, eve, "👏")
    world.take(decide_delete(world.directory, secret, actor_id=ada, at=NOW))
    with pytest.raises(MessageNotFound):
        boost(world, world.message(secret.id), bob, "👏")


def test_only_ones_own_boost_is_taken_back(world: World, message: MessageState, ada: str, bob: str) -> None:
    """Not even an administrator takes away somebody else's."""
    given = BoostState("b", message.id, message.room_id, by=bob)
    with pytest.raises(PermissionDenied):
        decide_remove_boost(world.directory, given, actor_id=ada, at=NOW)
    assert len(decide_remove_boost(world.directory, given, actor_id=bob, at=NOW)) == 1
    with pytest.raises(BoostNotFound):
        required(None)


def test_pins_are_put_and_taken_away_once(world: World, message: MessageState, bob: str, ada: str) -> None:
    """By any member, while the room is in use."""

    def pin(pinned: bool, on: MessageState = message) -> list[NewEvent]:
        return decide_pin(world.directory, on, pinned=pinned, actor_id=bob, at=NOW)

    assert len(pin(True)) == 1 and pin(False) == []
    world.take(decide_archive_room(world.directory, room_id=message.room_id, actor_id=ada, at=NOW))
    with pytest.raises(RoomArchivedError):
        pin(True)


def test_saving_and_reading_change_something_or_nothing(world: World, message: MessageState, bob: str) -> None:
    """What is so already is not put on record again; a thread is read forwards only."""

    def save(saved: bool, is_saved: bool) -> list[NewEvent]:
        return decide_save(world.directory, message, saved=saved, is_saved=is_saved, actor_id=bob, at=NOW)

    def read(position: int, read_upto: int) -> list[NewEvent]:
        return decide_read_thread(world.directory, message, user_id=bob, position=position, read_upto=read_upto, at=NOW)

    assert [len(save(*case)) for case in ((True, False), (True, True), (False, True), (False, False))] == [1, 0, 1, 0]
    assert [len(read(*case)) for case in ((5, 0), (5, 5), (4, 5))] == [1, 0, 0]


def reply(world: World, to: MessageState, by: str, room_id: str = "") -> MessagePosted:
    [event] = world.take(
        decide_post(
            world.directory,
            room_id=room_id or to.room_id,
            author_id=by,
            body="indeed",
            client_message_id=world.new_id(),
            reply_to=to,
            at=NOW,
        )
    )
    assert isinstance(event, MessagePosted)
    return event


def test_a_reply_belongs_to_the_thread_of_what_it_answers(world: World, message: MessageState, bob: str) -> None:
    """A reply to a reply too: there is one thread, named by its first message."""
    first = reply(world, message, bob)
    assert (first.reply_to, first.thread_id) == (message.id, message.id)
    state = MessageState(first.message_id, first.room_id, bob, 1, first.body, deleted=False, thread_id=first.thread_id)
    second = reply(world, state, bob)
    assert (second.reply_to, second.thread_id) == (first.message_id, message.id)


def test_a_reply_stays_in_its_room(world: World, message: MessageState, ada: str, bob: str) -> None:
    """And answers what is still there."""
    with pytest.raises(MessageNotFound):
        reply(world, message, ada, world.room("closed", ada))
    world.take(decide_delete(world.directory, message, actor_id=ada, at=NOW))
    with pytest.raises(MessageNotFound):
        reply(world, world.message(message.id), bob)


def test_a_message_may_play_a_sound() -> None:
    """One that there is, and nothing else in the message."""
    assert sound_of("/play tada") == "tada" and sound_of("/play  TADA ") == "tada"
    for body in ("play tada", "/play", "/play nothing-like-it", "say /play tada", "/play tada now"):
        assert sound_of(body) is None
    assert len(SOUNDS) == len(set(SOUNDS)) >= 60
