import pytest
from domain_support.world import JOIN_CODE, NOW, World
from hypothesis import example, given
from hypothesis import strategies as st

from campfire.domain import ids
from campfire.domain.accounts import FIRST_ROOM, decide_join, decide_setup, require_join_code
from campfire.domain.errors import EmailTaken, JoinCodeInvalid, SetupAlreadyDone, SetupRequired, ValidationFailed
from campfire.domain.events import AccountCreated, NewEvent, RoomCreated
from campfire.domain.names import MAX_NAME, clean_email, clean_name
from campfire.domain.rooms import decide_archive_room

any_text = st.text(st.characters(exclude_categories=()))
"""Surrogates, NUL and all."""


def setup(world: World, name: str = "Ada", email: str = "") -> list[NewEvent]:
    return decide_setup(
        world.directory,
        account_name="Engine Room",
        person=world.person(name, email),
        session=world.session(),
        room_id=world.new_id(),
        join_code=JOIN_CODE,
        at=NOW,
    )


def join(world: World, name: str, email: str = "", code: str = JOIN_CODE) -> list[NewEvent]:
    return decide_join(
        world.directory, join_code=code, person=world.person(name, email), session=world.session(), at=NOW
    )


def test_setting_up_makes_account_administrator_session_and_a_first_room(world: World) -> None:
    """After it somebody is signed in, may administer, and has a room to talk in."""
    ada = world.found("Ada")
    assert world.directory.account is not None and world.directory.account.name == "Engine Room"
    assert world.directory.user(ada).role == "administrator"
    assert len(world.directory.sessions_of(ada)) == 1
    assert world.directory.rooms_of(ada) == {world.first_room}
    assert world.directory.room(world.first_room).name == FIRST_ROOM


def test_whoever_sets_up_is_in_the_rooms_that_were_imported_before(world: World) -> None:
    """Else nobody would be left to read them."""
    imported = RoomCreated(at=NOW, room_id=world.new_id(), name="ubuntu", kind="open", created_by="x", origin="import")
    world.take([NewEvent(imported.room_id, 1, imported)])
    ada = world.found("Ada")
    assert (
        world.directory.rooms_of(ada) == {imported.room_id, *world.directory.rooms} and len(world.directory.rooms) == 2
    )


def test_a_server_is_set_up_once(world: World, ada: str) -> None:
    """The second attempt is refused."""
    with pytest.raises(SetupAlreadyDone):
        setup(world, "Bob")


def test_of_two_set_ups_at_the_same_moment_one_must_lose(world: World) -> None:
    """Both want the same version of the same stream, which the log gives once."""
    first, second = setup(world, "Ada"), setup(world, "Bob")
    wanted = [(new.stream_id, new.version) for new in (*first, *second) if isinstance(new.event, AccountCreated)]
    assert wanted == [(ids.ACCOUNT_STREAM, 1)] * 2


def test_whoever_joins_is_in_every_open_room(world: World, ada: str) -> None:
    """But not in closed or archived ones."""
    open_room, closed = world.room("open", ada), world.room("closed", ada)
    archived = world.room("open", ada)
    world.take(decide_archive_room(world.directory, room_id=archived, actor_id=ada, at=NOW))
    bob = world.join("Bob")
    assert world.directory.rooms_of(bob) == {world.first_room, open_room}
    assert bob not in world.directory.room(closed).members


def test_nobody_joins_before_the_set_up(world: World) -> None:
    """There is no invitation yet."""
    with pytest.raises(SetupRequired):
        join(world, "Bob")


@pytest.mark.parametrize("code", ["", "come-i", "come-in ", "COME-IN", "\ud800", "☕"])
def test_only_the_invitation_lets_in(world: World, ada: str, code: str) -> None:
    """Whatever else is offered is refused by name."""
    with pytest.raises(JoinCodeInvalid):
        require_join_code(world.directory, code)


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@Example.COM", " ada@example.com "])
def test_an_address_belongs_to_one_person(world: World, ada: str, email: str) -> None:
    """Case and surrounding space make no other address."""
    with pytest.raises(EmailTaken):
        join(world, "Imposter", email)


def test_two_who_claim_one_address_at_the_same_moment_conflict(world: World, ada: str) -> None:
    """The address has a stream of its own, so the log refuses the second."""
    streams = [
        {(new.stream_id, new.version) for new in join(world, name, email)}
        for name, email in (("Bob", "b@example.com"), ("Eve", "B@EXAMPLE.com"))
    ]
    assert streams[0] & streams[1] == {(ids.email_stream("b@example.com"), 1)}


def test_long_descriptions_of_a_device_are_cut(world: World, ada: str) -> None:
    """A user agent is for people to read, not a place to store things."""
    session = world.session(user_agent="x" * 5_000, address="y" * 5_000)
    world.take(decide_join(world.directory, join_code=JOIN_CODE, person=world.person("Bob"), session=session, at=NOW))
    state = world.directory.sessions[session.session_id]
    assert (len(state.user_agent), len(state.address)) == (300, 100)


@given(any_text)
@example("\0")
@example("\ud800")
@example(" " * 200)
@example("x" * (MAX_NAME + 1))
def test_any_text_is_a_name_or_is_refused_by_name(text: str) -> None:
    """What is kept can be stored, shown, and stays the same when cleaned again."""
    try:
        kept = clean_name(text, "name")
    except ValidationFailed as refused:
        assert refused.extra["errors"][0]["field"] == "name"
    else:
        assert 1 <= len(kept) <= MAX_NAME and kept == text.strip() == clean_name(kept, "name")
        assert kept.encode() and "\0" not in kept


@given(any_text | st.emails())
@example("a@b\0")
@example("a\ud800@b")
@example("a@b@c")
@example("x" * 300 + "@example.com")
def test_any_text_is_an_address_or_is_refused_by_name(text: str) -> None:
    """What is kept has something before and after one @, and no space."""
    try:
        kept = clean_email(text)
    except ValidationFailed as refused:
        assert refused.extra["errors"][0]["field"] == "email"
    else:
        local, domain = kept.split("@")
        assert local and domain and kept.split() == [kept] and kept.encode()


@given(st.lists(any_text, min_size=2, max_size=2, unique=True), any_text)
@example(["a", "b"], "1:a")
@example(["1:a\x1f1:b", "a"], "b")
def test_different_parts_never_share_a_derived_id(parts: list[str], other: str) -> None:
    """No text can imitate the boundary between two parts."""
    left, right = parts
    assert ids.message_id("room", left, other) != ids.message_id("room", right, other)
    assert ids.message_id("room", left, right) != ids.message_id("room", right, left)
    assert ids.imported_user_id(left, other) != ids.imported_room_id(left, other)
