import pytest
from domain_support.world import NOW, World
from hypothesis import given
from hypothesis import strategies as st

from campfire.domain.errors import RoomAccessDenied, RoomNotFound
from campfire.domain.events import PresenceEntered, PresenceLeft, PresenceReset, ReadPositionMoved
from campfire.domain.memberships import decide_remove_member
from campfire.domain.presence import decide_enter, decide_leave, decide_presence_reset
from campfire.domain.reading import decide_read


def test_entering_twice_is_entering_once(world: World, ada: str) -> None:
    """A second window is no second person."""
    [entered] = world.take(decide_enter(world.directory, room_id=world.first_room, user_id=ada, seen=0, at=NOW))
    assert isinstance(entered, PresenceEntered) and world.directory.present_in(world.first_room) == {ada}
    assert decide_enter(world.directory, room_id=world.first_room, user_id=ada, seen=0, at=NOW) == []


def test_leaving_ends_a_presence_and_leaving_again_is_nothing(world: World, ada: str) -> None:
    """Whoever is not there cannot leave."""
    world.take(decide_enter(world.directory, room_id=world.first_room, user_id=ada, seen=0, at=NOW))
    [left] = world.take(decide_leave(world.directory, room_id=world.first_room, user_id=ada, seen=0, at=NOW))
    assert isinstance(left, PresenceLeft) and not world.directory.anybody_present()
    assert decide_leave(world.directory, room_id=world.first_room, user_id=ada, seen=0, at=NOW) == []


def test_only_members_enter_and_read(world: World, ada: str, bob: str) -> None:
    """A closed room stays closed."""
    room = world.room("closed", ada)
    for attempt in (
        lambda: decide_enter(world.directory, room_id=room, user_id=bob, seen=0, at=NOW),
        lambda: decide_read(world.directory, room_id=room, user_id=bob, position=5, at=NOW),
    ):
        with pytest.raises(RoomAccessDenied):
            attempt()
    with pytest.raises(RoomNotFound):
        decide_enter(world.directory, room_id=world.new_id(), user_id=ada, seen=0, at=NOW)


def test_whoever_is_removed_is_no_longer_present(world: World, ada: str, bob: str) -> None:
    """Nobody seems to look into a room that they may not see."""
    world.take(decide_enter(world.directory, room_id=world.first_room, user_id=bob, seen=0, at=NOW))
    world.take(decide_remove_member(world.directory, room_id=world.first_room, user_id=bob, actor_id=ada, at=NOW))
    assert world.directory.present_in(world.first_room) == set()


def test_a_start_closes_all_presences_with_one_event(world: World, ada: str, bob: str) -> None:
    """And does nothing where nobody was left behind."""
    assert decide_presence_reset(world.directory, seen=0, at=NOW) == []
    for user_id in (ada, bob):
        world.take(decide_enter(world.directory, room_id=world.first_room, user_id=user_id, seen=0, at=NOW))
    [reset] = world.take(decide_presence_reset(world.directory, seen=0, at=NOW))
    assert isinstance(reset, PresenceReset) and not world.directory.anybody_present()
    assert decide_presence_reset(world.directory, seen=0, at=NOW) == []


def test_being_present_reads_a_room_and_no_more_than_was_seen(world: World, ada: str, bob: str) -> None:
    """Entering reads what is there, leaving what came meanwhile; where nothing came, nothing is recorded."""
    room, directory = world.first_room, world.directory
    world.post(room, ada, "one")
    seen = len(world.log)
    [_, read] = world.take(decide_enter(directory, room_id=room, user_id=bob, seen=seen, at=NOW))
    assert isinstance(read, ReadPositionMoved) and (read.user_id, read.position) == (bob, seen)
    world.take(decide_leave(directory, room_id=room, user_id=bob, seen=seen, at=NOW))
    assert [type(each) for each in world.take(decide_enter(directory, room_id=room, user_id=bob, seen=99, at=NOW))] == [
        PresenceEntered
    ]
    world.post(room, ada, "two")
    seen = len(world.log)
    world.post(room, ada, "three")
    world.take(decide_leave(directory, room_id=room, user_id=bob, seen=seen, at=NOW))
    assert directory.read_position(room, bob) == seen


def test_a_crash_leaves_nothing_unread_that_was_seen(world: World, ada: str, bob: str) -> None:
    """The next start records how far everybody present had read, before it closes their presences."""
    room = world.first_room
    for user_id in (ada, bob):
        world.take(decide_enter(world.directory, room_id=room, user_id=user_id, seen=0, at=NOW))
    world.post(room, ada, "one")
    seen = len(world.log)
    *reads, reset = world.take(decide_presence_reset(world.directory, seen=seen, at=NOW))
    assert [type(each) for each in reads] == [ReadPositionMoved] * 2 and isinstance(reset, PresenceReset)
    assert {world.directory.read_position(room, user_id) for user_id in (ada, bob)} == {seen}


@given(st.lists(st.integers(-10, 1_000), max_size=30))
def test_a_read_position_only_moves_forwards(positions: list[int]) -> None:
    """Whatever order the reports come in, nothing that was read becomes unread."""
    world = World()
    ada = world.found()
    for position in positions:
        before = world.directory.read_position(world.first_room, ada)
        moved = world.take(
            decide_read(world.directory, room_id=world.first_room, user_id=ada, position=position, at=NOW)
        )
        assert [isinstance(each, ReadPositionMoved) for each in moved] == ([True] if position > before else [])
    assert world.directory.read_position(world.first_room, ada) == max([0, *positions])


def test_everybody_has_a_read_position_of_their_own(world: World, ada: str, bob: str) -> None:
    """In each room."""
    world.take(decide_read(world.directory, room_id=world.first_room, user_id=ada, position=7, at=NOW))
    assert world.directory.read_position(world.first_room, bob) == 0
    assert world.directory.read_position(world.room("open", ada), ada) == 0
