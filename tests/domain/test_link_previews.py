import msgspec
import pytest
from domain_support.world import NOW, World

from campfire.domain.errors import MessageNotFound, PermissionDenied, RoomAccessDenied
from campfire.domain.events import LinkPreview, MessagePreviewed, MessagePreviewsRemoved, PreviewImage
from campfire.domain.link_previews import decide_preview, decide_remove_previews
from campfire.domain.messages import MessageState, decide_delete
from campfire.domain.scrubbing import tombstone_of

TEA = LinkPreview(id="1", link="https://tea.example", url="https://tea.example", title="Tea")


@pytest.fixture
def message(world: World, bob: str) -> MessageState:
    return world.post(world.first_room, bob, "look: https://tea.example")


def test_what_was_found_goes_into_the_messages_own_stream(message: MessageState) -> None:
    """At the version that follows what was decided from, so that a deletion in between wins."""
    [new] = decide_preview(message, message.body, found=[TEA], shown=[], at=NOW)
    assert (new.stream_id, new.version) == (message.id, message.version + 1)
    assert new.event == MessagePreviewed(at=NOW, message_id=message.id, room_id=message.room_id, previews=(TEA,))


@pytest.mark.parametrize("change", [{"deleted": True}, {"without_previews": True}, {"body": "something else"}])
def test_what_is_not_wanted_any_more_is_not_recorded(message: MessageState, change: dict[str, object]) -> None:
    """Deleted, without previews for good, or saying something else than what was looked at."""
    changed = msgspec.structs.replace(message, **change)
    assert decide_preview(changed, message.body, found=[TEA], shown=[], at=NOW) == []


def test_only_news_is_recorded(message: MessageState) -> None:
    """The same page under a new id is none; that nothing is left to show is."""
    again = msgspec.structs.replace(TEA, id="2")
    assert decide_preview(message, message.body, found=[again], shown=[TEA], at=NOW) == []
    assert decide_preview(message, message.body, found=[], shown=[], at=NOW) == []
    [gone] = decide_preview(message, message.body, found=[], shown=[TEA], at=NOW)
    assert isinstance(gone.event, MessagePreviewed) and gone.event.previews == ()


def test_the_author_and_administrators_remove_previews(
    world: World, ada: str, bob: str, eve: str, message: MessageState
) -> None:
    """Once; others may not, and of a deleted message there are none."""
    for actor_id in (ada, bob):
        [new] = decide_remove_previews(world.directory, message, actor_id=actor_id, at=NOW)
        assert isinstance(new.event, MessagePreviewsRemoved) and new.version == message.version + 1
    removed = msgspec.structs.replace(message, without_previews=True)
    assert decide_remove_previews(world.directory, removed, actor_id=bob, at=NOW) == []
    with pytest.raises(PermissionDenied):
        decide_remove_previews(world.directory, message, actor_id=eve, at=NOW)
    closed = world.post(world.room("closed", ada), ada)
    with pytest.raises(RoomAccessDenied):
        decide_remove_previews(world.directory, closed, actor_id=bob, at=NOW)
    world.take(decide_delete(world.directory, message, actor_id=bob, at=NOW))
    with pytest.raises(MessageNotFound):
        decide_remove_previews(world.directory, world.message(message.id), actor_id=bob, at=NOW)


def test_a_scrub_leaves_nothing_of_a_preview() -> None:
    """Neither words nor addresses, nor which picture it was."""
    preview = msgspec.structs.replace(TEA, image=PreviewImage("d1e5", 1, 1))
    event = MessagePreviewed(at=NOW, message_id="m", room_id="r", previews=(preview,))
    tombstone = tombstone_of(event)
    assert tombstone == MessagePreviewed(at=NOW, message_id="m", room_id="r", previews=(), scrubbed=True)
    assert tombstone is not None and tombstone_of(tombstone) is None
