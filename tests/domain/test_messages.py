from collections.abc import Callable

import pytest
import regex
from domain_support.world import NOW, World
from hypothesis import example, given
from hypothesis import strategies as st

from campfire.domain import ids
from campfire.domain.errors import (
    DomainError,
    MessageNotFound,
    MessageTooLong,
    PermissionDenied,
    RoomAccessDenied,
    RoomArchivedError,
    RoomNotFound,
    ValidationFailed,
)
from campfire.domain.events import MessageDeleted, MessageEdited, MessagePosted, NewEvent
from campfire.domain.memberships import decide_remove_member
from campfire.domain.messages import (
    MAX_BYTES,
    MAX_CHARACTERS,
    MAX_CLIENT_MESSAGE_ID,
    decide_delete,
    decide_edit,
    decide_post,
    fit_body,
)
from campfire.domain.rooms import decide_archive_room

FAMILY = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}\u200d\N{BOY}"
FLAG = "\N{REGIONAL INDICATOR SYMBOL LETTER D}\N{REGIONAL INDICATOR SYMBOL LETTER E}"
LETTERS = ["a", "é", "e\u0301", "語", FAMILY, FLAG, "👍🏽", "\r\n", "각", "नि", "z" + "\u0301" * 30]

any_text = st.text(st.characters(exclude_categories=()))


@st.composite
def long_texts(draw: st.DrawFn) -> str:
    """Text about as long as is allowed, of letters that are easily torn."""
    letters = draw(
        st.lists(st.sampled_from(LETTERS) | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
    )
    run = "".join(letters)
    wanted = draw(st.integers(MAX_CHARACTERS - 40, MAX_CHARACTERS + 400))
    start = draw(st.text("ab", max_size=len(run)))
    return (start + run * (wanted // len(run) + 1))[:wanted]


def boundaries(text: str) -> set[int]:
    """Where one letter ends, as a person sees letters (UAX #29)."""
    return {match.end() for match in regex.finditer(r"\X", text)}


def post(world: World, room_id: str, author_id: str, body: str = "hello", key: str = "k1") -> list[NewEvent]:
    return decide_post(world.directory, room_id=room_id, author_id=author_id, body=body, client_message_id=key, at=NOW)


@given(long_texts())
@example("x" * (MAX_CHARACTERS - 1) + FAMILY)
@example("x" * (MAX_CHARACTERS - 1) + FLAG * 5)
@example("x" * (MAX_CHARACTERS - 1) + "e\u0301")
@example("x" * (MAX_CHARACTERS - 1) + "\r\n")
@example("a" + "\u0301" * MAX_CHARACTERS)
@example("🏳" * (MAX_CHARACTERS + 1))
@example(" " * MAX_CHARACTERS + "x")
def test_a_cut_never_tears_a_letter_and_keeps_the_limits(body: str) -> None:
    """What is kept is the longest beginning of whole letters; only a letter longer than a message is torn."""
    try:
        kept, original = fit_body(body, truncate=True)
    except ValidationFailed:
        assert "\0" in body or not body[:MAX_CHARACTERS].strip()
        return
    assert body.startswith(kept) and kept.strip()
    assert len(kept) <= MAX_CHARACTERS and len(kept.encode()) <= MAX_BYTES
    if original is None:
        assert kept == body
        return
    assert original == len(body)
    ends = boundaries(body)
    whole = max((end for end in ends if end <= MAX_CHARACTERS and len(body[:end].encode()) <= MAX_BYTES), default=0)
    assert len(kept) == (whole or MAX_CHARACTERS)


@given(any_text, st.booleans())
@example("\0", True)
@example("\ud83d", False)
@example("x" * MAX_CHARACTERS + "\ud83d", True)
@example("\ud83d" * (MAX_CHARACTERS + 1), True)
@example("\ud83d" * (MAX_CHARACTERS + 1), False)
@example("\u2028\u3000", True)
def test_any_text_is_kept_or_refused_by_name(body: str, truncate: bool) -> None:
    """Whatever somebody sends is stored as it is, cut, or answered with an error of ours."""
    try:
        kept, _ = fit_body(body, truncate=truncate)
    except (ValidationFailed, MessageTooLong):
        return
    assert kept and not kept.isspace() and "\0" not in kept and kept.encode()


@pytest.mark.parametrize("letter", ["x", "é", "語", "👍"])
def test_a_message_may_have_exactly_as_many_characters_as_promised(letter: str) -> None:
    """10,000 of any script; one more is too long and says by how much."""
    assert fit_body(letter * MAX_CHARACTERS, truncate=False) == (letter * MAX_CHARACTERS, None)
    with pytest.raises(MessageTooLong) as refused:
        fit_body(letter * (MAX_CHARACTERS + 1), truncate=False)
    assert refused.value.extra == {"length": MAX_CHARACTERS + 1, "limit": MAX_CHARACTERS}


def test_a_repeated_post_takes_the_same_place(world: World, ada: str) -> None:
    """The id comes from room, author and the client's id, so that a repeat conflicts instead of doubling."""
    first, again = post(world, world.first_room, ada), post(world, world.first_room, ada)
    assert (first[0].stream_id, first[0].version) == (again[0].stream_id, again[0].version)
    assert first[0].stream_id == ids.message_id(world.first_room, ada, "k1")


def test_the_same_client_id_of_another_author_or_room_is_another_message(world: World, ada: str, bob: str) -> None:
    """Clients need not know of each other."""
    other = world.room("open", ada)
    streams = {post(world, room, author)[0].stream_id for room in (world.first_room, other) for author in (ada, bob)}
    assert len(streams) == 4


def test_a_message_is_never_older_than_the_one_before_it(world: World, ada: str) -> None:
    """A clock that was set back does not bring a room out of order."""
    [first] = world.take(post(world, world.first_room, ada))
    early = decide_post(
        world.directory, room_id=world.first_room, author_id=ada, body="x", client_message_id="k2", at=NOW - 5_000
    )
    assert first.at == NOW and early[0].event.at == NOW


def test_only_members_post(world: World, ada: str, bob: str) -> None:
    """Not strangers, not those who have left, and nobody into the void."""
    room = world.room("closed", ada, bob)
    world.take(decide_remove_member(world.directory, room_id=room, user_id=bob, actor_id=bob, at=NOW))
    with pytest.raises(RoomAccessDenied):
        post(world, room, bob)
    with pytest.raises(RoomNotFound):
        post(world, world.new_id(), ada)


@pytest.mark.parametrize("key", ["", "k" * (MAX_CLIENT_MESSAGE_ID + 1)])
def test_a_clients_own_id_has_a_sensible_length(world: World, ada: str, key: str) -> None:
    """From 1 to 200 characters."""
    with pytest.raises(ValidationFailed) as refused:
        post(world, world.first_room, ada, key=key)
    assert refused.value.extra["errors"][0]["field"] == "client_message_id"


def test_a_message_remembers_how_long_it_was(world: World, ada: str) -> None:
    """When it was cut because its author asked for that."""
    [new] = decide_post(
        world.directory,
        room_id=world.first_room,
        author_id=ada,
        body="x" * 10_500,
        client_message_id="k1",
        truncate=True,
        at=NOW,
    )
    assert isinstance(new.event, MessagePosted)
    assert (len(new.event.body), new.event.original_length) == (MAX_CHARACTERS, 10_500)


def test_author_and_administrators_edit_and_delete(world: World, ada: str, bob: str, eve: str) -> None:
    """Another member may do neither."""
    message = world.post(world.first_room, bob)
    for change in (
        lambda: decide_edit(world.directory, message, actor_id=eve, body="mine", at=NOW),
        lambda: decide_delete(world.directory, message, actor_id=eve, at=NOW),
    ):
        with pytest.raises(PermissionDenied):
            change()
    [edited] = world.take(decide_edit(world.directory, message, actor_id=bob, body="better", at=NOW))
    assert isinstance(edited, MessageEdited) and world.message(message.id).body == "better"
    [deleted] = world.take(decide_delete(world.directory, world.message(message.id), actor_id=ada, at=NOW))
    assert isinstance(deleted, MessageDeleted)


def test_the_same_text_again_is_no_edit(world: World, ada: str) -> None:
    """Nothing happens, and nobody is told."""
    message = world.post(world.first_room, ada, "hello")
    assert decide_edit(world.directory, message, actor_id=ada, body="hello", at=NOW) == []


def test_two_edits_of_the_same_text_conflict(world: World, ada: str, bob: str) -> None:
    """Both want the version after the one that they saw."""
    message = world.post(world.first_room, bob)
    edits = [decide_edit(world.directory, message, actor_id=who, body=who, at=NOW) for who in (ada, bob)]
    assert [new.version for [new] in edits] == [2, 2]


def test_a_deleted_message_is_gone(world: World, ada: str) -> None:
    """It is neither edited nor deleted again."""
    message = world.post(world.first_room, ada)
    world.take(decide_delete(world.directory, message, actor_id=ada, at=NOW))
    gone = world.message(message.id)
    for change in (
        lambda: decide_edit(world.directory, gone, actor_id=ada, body="back", at=NOW),
        lambda: decide_delete(world.directory, gone, actor_id=ada, at=NOW),
    ):
        with pytest.raises(MessageNotFound):
            change()


def test_an_archived_room_takes_no_message_and_keeps_those_it_has(world: World, ada: str) -> None:
    """Posting, editing and deleting are refused alike."""
    message = world.post(world.first_room, ada)
    world.take(decide_archive_room(world.directory, room_id=world.first_room, actor_id=ada, at=NOW))
    attempts: list[Callable[[], object]] = [
        lambda: post(world, world.first_room, ada, key="k2"),
        lambda: decide_edit(world.directory, message, actor_id=ada, body="new", at=NOW),
        lambda: decide_delete(world.directory, message, actor_id=ada, at=NOW),
    ]
    for attempt in attempts:
        with pytest.raises(RoomArchivedError):
            attempt()


def test_whoever_has_left_changes_nothing_any_more(world: World, ada: str, bob: str) -> None:
    """Not even their own messages."""
    message = world.post(world.first_room, bob)
    world.take(decide_remove_member(world.directory, room_id=world.first_room, user_id=bob, actor_id=bob, at=NOW))
    with pytest.raises(RoomAccessDenied):
        decide_delete(world.directory, message, actor_id=bob, at=NOW)


@given(any_text, any_text, st.booleans())
def test_posting_any_text_gives_one_event_or_an_error_of_ours(body: str, key: str, truncate: bool) -> None:
    """No text makes a decision fail in a way that has no name."""
    world = World()
    ada = world.found()
    try:
        decided = decide_post(
            world.directory,
            room_id=world.first_room,
            author_id=ada,
            body=body,
            client_message_id=key,
            truncate=truncate,
            at=NOW,
        )
    except DomainError:
        return
    assert len(world.take(decided)) == 1
