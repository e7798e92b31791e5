import pytest
from domain_support.world import NOW, World
from hypothesis import given
from hypothesis import strategies as st

from campfire.domain.events import MessageEdited, MessagePosted
from campfire.domain.mentions import MOST_MENTIONS, find_mentions
from campfire.domain.messages import decide_edit


@pytest.fixture
def people(world: World, ada: str) -> dict[str, str]:
    """Members with names that begin alike, and one who is in another room only."""
    names = ("Bob", "Bob Loblaw", "Zoë", "O'Hara (ops)", "李雷")
    return {"Ada": ada, **{name: world.take_in(name, f"{number}@example.com") for number, name in enumerate(names)}}


def mentioned(world: World, body: str) -> list[tuple[str, str]]:
    """Names and the text that mentions them."""
    room = world.directory.room(world.first_room)
    found = find_mentions(world.directory, room, body)
    return [(world.directory.users[each.user_id].name, body[each.start : each.end]) for each in found]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("@Bob hi", [("Bob", "@Bob")]),
        ("hi @bob, and @ADA!", [("Bob", "@bob"), ("Ada", "@ADA")]),
        ("@Bob Loblaw wrote", [("Bob Loblaw", "@Bob Loblaw")]),
        ("@Bob Loblaws wrote", [("Bob", "@Bob")]),
        ("@Bob's idea", [("Bob", "@Bob")]),
        ("@Bobby", []),
        ("mail bob@Ada.example", []),
        ("@@Ada", []),
        ("(@Zoë)", [("Zoë", "@Zoë")]),
        ("@O'Hara (ops), please", [("O'Hara (ops)", "@O'Hara (ops)")]),
        ("@李雷你好 @李雷", [("李雷", "@李雷")]),
        ("@nobody @", []),
    ],
)
def test_names_of_members_are_found(
    world: World, people: dict[str, str], body: str, expected: list[tuple[str, str]]
) -> None:
    """The longest name that stands there, whole, whatever its case."""
    assert mentioned(world, body) == expected


def test_only_members_are_mentioned(world: World, ada: str, bob: str, eve: str) -> None:
    """Whoever is not in the room is not called to it."""
    room = world.room("closed", ada, bob)
    assert [each.user_id for each in find_mentions(world.directory, world.directory.room(room), "@Bob @Eve")] == [bob]


def test_a_name_that_two_share_mentions_both(world: World, ada: str) -> None:
    """Better one too many than the wrong one."""
    twins = {world.take_in("Sam", "sam1@example.com"), world.take_in("Sam", "sam2@example.com")}
    found = find_mentions(world.directory, world.directory.room(world.first_room), "@Sam")
    assert {each.user_id for each in found} == twins


def test_there_is_an_end_to_mentions(world: World, ada: str) -> None:
    """A message cannot be made to call the whole town."""
    found = find_mentions(world.directory, world.directory.room(world.first_room), "@Ada " * 500)
    assert len(found) == MOST_MENTIONS


def test_there_is_an_end_to_looking_for_names(world: World, ada: str) -> None:
    """Two thousand signs without a name would keep everybody else waiting."""
    assert mentioned(world, "@nobody " * 400 + "@Ada") == [("Ada", "@Ada")]
    assert mentioned(world, "@nobody " * 600 + "@Ada") == []


def test_posting_and_editing_keep_whom_they_mention(world: World, ada: str, bob: str) -> None:
    """With where: an edit mentions whom the new text names."""
    message = world.post(world.first_room, ada, "hello @Bob")
    posted = world.log[-1].event
    assert isinstance(posted, MessagePosted) and [each.user_id for each in posted.mentions] == [bob]
    [edited] = world.take(decide_edit(world.directory, message, actor_id=ada, body="hello", at=NOW))
    assert isinstance(edited, MessageEdited) and edited.mentions == ()


@given(body=st.text(st.sampled_from("@ Bob'Ada(\n"), max_size=200) | st.text(max_size=50))
def test_any_text_has_mentions_that_fit(body: str) -> None:
    """They lie in the text, in order, begin with @, and do not overlap."""
    world = World()
    world.found("Ada")
    world.join("Bob")
    room = world.directory.room(world.first_room)
    end = 0
    for each in find_mentions(world.directory, room, body):
        assert end <= each.start < each.end <= len(body) and body[each.start] == "@"
        assert body[each.start + 1 : each.end].casefold() == world.directory.users[each.user_id].name.casefold()
        end = each.end
