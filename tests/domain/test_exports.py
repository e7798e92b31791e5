import pytest
from domain_support.world import NOW, World

from campfire.domain.errors import PermissionDenied, RoomAccessDenied
from campfire.domain.events import AccountExported
from campfire.domain.exports import decide_export_account, exportable_room


def test_a_room_is_exported_by_whoever_looks_after_it(world: World, ada: str, bob: str, eve: str) -> None:
    """Its creator, and administrators who are in it; nobody else, and no administrator from outside."""
    bobs = world.room("closed", bob, ada, eve)
    for actor_id in (bob, ada):
        assert exportable_room(world.directory, bobs, actor_id).id == bobs
    with pytest.raises(PermissionDenied):
        exportable_room(world.directory, bobs, eve)
    with pytest.raises(RoomAccessDenied):
        exportable_room(world.directory, world.room("closed", bob), ada)


def test_a_direct_room_is_exported_by_each_of_its_people(world: World, bob: str, eve: str) -> None:
    """It is theirs alike, whoever wrote first."""
    room = world.room("direct", bob, eve)
    assert exportable_room(world.directory, room, eve) == exportable_room(world.directory, room, bob)


def test_a_copy_of_everything_is_on_record(world: World, ada: str, bob: str) -> None:
    """Administrators may take it, and everybody can see that they did."""
    [exported] = world.take(decide_export_account(world.directory, actor_id=ada, at=NOW))
    assert exported == AccountExported(at=NOW, by=ada)
    with pytest.raises(PermissionDenied):
        decide_export_account(world.directory, actor_id=bob, at=NOW)
