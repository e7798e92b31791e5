import pytest
from domain_support.world import NOW, World

from campfire.domain.errors import (
    PermissionDenied,
    RoomAccessDenied,
    RoomArchivedError,
    RoomNotFound,
    UserNotFound,
    ValidationFailed,
)
from campfire.domain.events import Event, Involvement, MemberAdded, MemberRemoved, RoomCreated, RoomRenamed
from campfire.domain.memberships import decide_add_member, decide_remove_member, decide_set_involvement
from campfire.domain.rooms import (
    MAX_DIRECT_MEMBERS,
    decide_archive_room,
    decide_change_room,
    decide_create_room,
    decide_reopen_room,
    readable_room,
)


def test_an_open_room_has_everybody(world: World, ada: str, bob: str, eve: str) -> None:
    """Whoever can sign in is a member, asked or not."""
    assert world.directory.room(world.room("open", bob)).members == {ada, bob, eve}


def test_a_closed_room_has_whom_it_was_made_for(world: World, ada: str, bob: str, eve: str) -> None:
    """And its maker; nobody else reads it, administrators included."""
    room = world.room("closed", bob, eve)
    assert world.directory.room(room).members == {bob, eve}
    with pytest.raises(RoomAccessDenied):
        readable_room(world.directory, room, ada)


def test_the_same_people_have_one_direct_room(world: World, ada: str, bob: str, eve: str) -> None:
    """Whoever begins, and in whatever order they are named."""
    room = world.room("direct", ada, bob, eve)
    again = decide_create_room(
        world.directory,
        room_id=world.new_id(),
        name="",
        kind="direct",
        members=[eve, ada, eve],
        actor_id=bob,
        at=NOW,
    )
    assert again == [] and room == world.room("direct", bob, eve, ada)
    assert world.room("direct", ada, bob) != room


@pytest.mark.parametrize("others", [0, MAX_DIRECT_MEMBERS])
def test_a_direct_room_is_for_a_few(world: World, ada: str, others: int) -> None:
    """Not for one alone, and not for a crowd."""
    crowd = [world.join(f"P{number}") for number in range(others)]
    with pytest.raises(ValidationFailed):
        decide_create_room(
            world.directory, room_id=world.new_id(), name="", kind="direct", members=crowd, actor_id=ada, at=NOW
        )


def test_a_room_needs_people_that_exist_and_a_name(world: World, ada: str) -> None:
    """Otherwise nothing is created."""
    for members, name, refusal in (([world.new_id()], "Room", UserNotFound), ([], "  ", ValidationFailed)):
        with pytest.raises(refusal):
            decide_create_room(
                world.directory,
                room_id=world.new_id(),
                name=name,
                kind="closed",
                members=members,
                actor_id=ada,
                at=NOW,
            )


def test_its_maker_and_administrators_rename_a_room(world: World, ada: str, bob: str, eve: str) -> None:
    """Other members may not; the same name again changes nothing."""
    room = world.room("closed", bob, ada, eve)
    with pytest.raises(PermissionDenied):
        decide_change_room(world.directory, room_id=room, name="Mine", actor_id=eve, at=NOW)
    for actor, name in ((bob, "His"), (ada, "Hers")):
        [renamed] = world.take(decide_change_room(world.directory, room_id=room, name=name, actor_id=actor, at=NOW))
        assert isinstance(renamed, RoomRenamed) and world.directory.room(room).name == name
    assert decide_change_room(world.directory, room_id=room, name=" Hers ", actor_id=ada, at=NOW) == []


def test_an_archived_room_stays_as_it_is(world: World, ada: str, bob: str, eve: str) -> None:
    """It can be read; name, members and the archive itself do not change any more."""
    room = world.room("closed", ada, bob)
    world.take(decide_archive_room(world.directory, room_id=room, actor_id=ada, at=NOW))
    assert readable_room(world.directory, room, bob).archived
    assert decide_archive_room(world.directory, room_id=room, actor_id=ada, at=NOW) == []
    for change in (
        lambda: decide_change_room(world.directory, room_id=room, name="New", actor_id=ada, at=NOW),
        lambda: decide_add_member(world.directory, room_id=room, user_id=eve, actor_id=ada, at=NOW),
        lambda: decide_remove_member(world.directory, room_id=room, user_id=bob, actor_id=ada, at=NOW),
    ):
        with pytest.raises(RoomArchivedError):
            change()


def test_a_direct_room_keeps_its_people_and_has_no_name(world: World, ada: str, bob: str, eve: str) -> None:
    """Another circle is another room."""
    room = world.room("direct", ada, bob)
    for change in (
        lambda: decide_add_member(world.directory, room_id=room, user_id=eve, actor_id=ada, at=NOW),
        lambda: decide_remove_member(world.directory, room_id=room, user_id=bob, actor_id=ada, at=NOW),
        lambda: decide_change_room(world.directory, room_id=room, name="Two", actor_id=ada, at=NOW),
        lambda: decide_archive_room(world.directory, room_id=room, actor_id=ada, at=NOW),
    ):
        with pytest.raises(PermissionDenied):
            change()


def test_members_bring_others_in_and_strangers_do_not(world: World, ada: str, bob: str, eve: str) -> None:
    """Adding somebody twice is adding them once."""
    room = world.room("closed", ada)
    with pytest.raises(RoomAccessDenied):
        decide_add_member(world.directory, room_id=room, user_id=eve, actor_id=eve, at=NOW)
    [added] = world.take(decide_add_member(world.directory, room_id=room, user_id=bob, actor_id=ada, at=NOW))
    assert isinstance(added, MemberAdded) and world.directory.is_member(room, bob)
    assert decide_add_member(world.directory, room_id=room, user_id=bob, actor_id=ada, at=NOW) == []


def test_anybody_comes_back_to_an_open_room(world: World, ada: str, bob: str) -> None:
    """Leaving is not for ever; each coming and going has its own version."""
    for _ in range(3):
        [left] = world.take(
            decide_remove_member(world.directory, room_id=world.first_room, user_id=bob, actor_id=bob, at=NOW)
        )
        assert isinstance(left, MemberRemoved) and not world.directory.is_member(world.first_room, bob)
        world.take(decide_add_member(world.directory, room_id=world.first_room, user_id=bob, actor_id=bob, at=NOW))
        assert world.directory.is_member(world.first_room, bob)


def test_only_its_maker_or_an_administrator_removes_somebody(world: World, ada: str, bob: str, eve: str) -> None:
    """A member removes nobody but themselves."""
    room = world.room("closed", bob, ada, eve)
    with pytest.raises(PermissionDenied):
        decide_remove_member(world.directory, room_id=room, user_id=ada, actor_id=eve, at=NOW)
    world.take(decide_remove_member(world.directory, room_id=room, user_id=eve, actor_id=bob, at=NOW))
    world.take(decide_remove_member(world.directory, room_id=room, user_id=bob, actor_id=ada, at=NOW))
    assert world.directory.room(room).members == {ada}
    assert decide_remove_member(world.directory, room_id=room, user_id=eve, actor_id=eve, at=NOW) == []


def test_whoever_is_removed_has_no_way_back_into_a_closed_room(world: World, ada: str, bob: str) -> None:
    """Not by adding themselves, and not by reading."""
    room = world.room("closed", ada, bob)
    world.take(decide_remove_member(world.directory, room_id=room, user_id=bob, actor_id=ada, at=NOW))
    for attempt in (
        lambda: decide_add_member(world.directory, room_id=room, user_id=bob, actor_id=bob, at=NOW),
        lambda: readable_room(world.directory, room, bob),
    ):
        with pytest.raises(RoomAccessDenied):
            attempt()


def test_a_room_that_does_not_exist_is_said_not_to(world: World, ada: str) -> None:
    """By every decision about a room."""
    nowhere = world.new_id()
    for attempt in (
        lambda: readable_room(world.directory, nowhere, ada),
        lambda: decide_change_room(world.directory, room_id=nowhere, name="x", actor_id=ada, at=NOW),
        lambda: decide_archive_room(world.directory, room_id=nowhere, actor_id=ada, at=NOW),
        lambda: decide_add_member(world.directory, room_id=nowhere, user_id=ada, actor_id=ada, at=NOW),
        lambda: decide_remove_member(world.directory, room_id=nowhere, user_id=ada, actor_id=ada, at=NOW),
    ):
        with pytest.raises(RoomNotFound):
            attempt()


def test_the_members_of_a_new_room_are_in_a_fixed_order(world: World, ada: str, bob: str, eve: str) -> None:
    """The same command always becomes the same event."""
    decided = [
        decide_create_room(
            world.directory, room_id="r", name="Room", kind="closed", members=members, actor_id=ada, at=NOW
        )
        for members in ([bob, eve], [eve, bob, eve])
    ]
    assert decided[0] == decided[1] and isinstance(decided[0][0].event, RoomCreated)


def test_a_room_that_opens_takes_everybody_in(world: World, ada: str, bob: str, eve: str) -> None:
    """Who left it before comes back too; closing it again sends nobody away."""
    room = world.room("closed", bob, eve)
    world.take(decide_remove_member(world.directory, room_id=room, user_id=eve, actor_id=eve, at=NOW))
    world.take(decide_change_room(world.directory, room_id=room, kind="open", actor_id=bob, at=NOW))
    assert world.directory.room(room).kind == "open"
    assert world.directory.room(room).members == {ada, bob, eve}
    world.take(decide_change_room(world.directory, room_id=room, kind="closed", name="Den", actor_id=ada, at=NOW))
    assert world.directory.room(room).members == {ada, bob, eve}
    assert (world.directory.room(room).kind, world.directory.room(room).name) == ("closed", "Den")
    assert world.directory.rooms_of(world.join("Late")) == {world.first_room}


def test_changing_a_room_is_for_who_looks_after_it(world: World, ada: str, bob: str, eve: str) -> None:
    """Its maker and administrators; a direct room never changes; the same again changes nothing."""
    room, direct = world.room("open", bob), world.room("direct", bob, ada)
    for room_id, actor in ((room, eve), (direct, bob), (direct, ada)):
        with pytest.raises(PermissionDenied):
            decide_change_room(world.directory, room_id=room_id, kind="closed", actor_id=actor, at=NOW)
    assert decide_change_room(world.directory, room_id=room, kind="open", name="Room", actor_id=bob, at=NOW) == []


def test_an_archived_room_can_be_brought_back(world: World, ada: str, bob: str, eve: str) -> None:
    """By who may archive it; then it is in use again."""
    room = world.room("open", bob)
    world.take(decide_archive_room(world.directory, room_id=room, actor_id=bob, at=NOW))
    with pytest.raises(PermissionDenied):
        decide_reopen_room(world.directory, room_id=room, actor_id=eve, at=NOW)
    world.take(decide_reopen_room(world.directory, room_id=room, actor_id=ada, at=NOW))
    assert decide_reopen_room(world.directory, room_id=room, actor_id=ada, at=NOW) == []
    assert world.post(room, eve).body == "hello"


def test_involvement_begins_with_the_rooms_kind_and_ends_with_the_membership(world: World, ada: str, bob: str) -> None:
    """Mentions in rooms, everything between few; who comes back begins anew."""
    room, direct = world.room("open", ada), world.room("direct", ada, bob)
    directory = world.directory
    assert (directory.involvement(room, bob), directory.involvement(direct, bob)) == ("mentions", "everything")

    def choose(involvement: Involvement) -> list[Event]:
        return world.take(decide_set_involvement(directory, room_id=room, user_id=bob, involvement=involvement, at=NOW))

    assert choose("mentions") == []
    assert len(choose("invisible")) == 1
    assert directory.involvement(room, bob) == "invisible" and directory.involvement(room, ada) == "mentions"
    world.take(decide_remove_member(directory, room_id=room, user_id=bob, actor_id=bob, at=NOW))
    with pytest.raises(RoomAccessDenied):
        choose("nothing")
    world.take(decide_add_member(directory, room_id=room, user_id=bob, actor_id=bob, at=NOW))
    assert directory.involvement(room, bob) == "mentions"
