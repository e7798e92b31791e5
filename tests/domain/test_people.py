from collections.abc import Callable

import pytest
from domain_support.world import NOW, World

from campfire.domain import ids
from campfire.domain.accounts import decide_change_account
from campfire.domain.errors import (
    EmailTaken,
    PermissionDenied,
    RoomBeingDeleted,
    RoomNotFound,
    SignInLinkInvalid,
    UserNotFound,
    ValidationFailed,
)
from campfire.domain.events import MemberRemoved, NewEvent, RoomEmptied, SessionEnded, UserMessagesRemoved
from campfire.domain.memberships import decide_add_member
from campfire.domain.mentions import find_mentions
from campfire.domain.messages import decide_post
from campfire.domain.people import (
    decide_ban,
    decide_change_email,
    decide_change_profile,
    decide_change_role,
    decide_deactivate,
    decide_reactivate,
    decide_remove,
    decide_set_password,
)
from campfire.domain.rooms import decide_create_room, decide_delete_room
from campfire.domain.sign_in_links import (
    VALID_MS,
    NewLink,
    decide_make_password_reset,
    decide_make_transfer,
    decide_reset_password,
    decide_transfer,
)

HOUR = 3_600_000


def test_a_rename_is_known_to_mentions_at_once(world: World, ada: str) -> None:
    """The new name mentions, the old one no longer does."""
    bob = world.join("Bob")
    world.take(decide_change_profile(world.directory, user_id=bob, name="Robert Roe", actor_id=bob, at=NOW))
    room = world.directory.room(world.first_room)
    assert [each.user_id for each in find_mentions(world.directory, room, "@robert roe and @Bob")] == [bob]


def test_a_profile_is_ones_own(world: World, ada: str) -> None:
    """Not even an administrator writes under another's name."""
    bob = world.join("Bob")
    with pytest.raises(PermissionDenied):
        decide_change_profile(world.directory, user_id=bob, name="Bobby", actor_id=ada, at=NOW)
    assert decide_change_profile(world.directory, user_id=bob, name=" Bob ", actor_id=bob, at=NOW) == []
    with pytest.raises(ValidationFailed):
        decide_change_profile(world.directory, user_id=bob, bio="x" * 501, actor_id=bob, at=NOW)


def test_administrators_make_administrators(world: World, ada: str) -> None:
    """And nobody else does."""
    bob, eve = world.join("Bob"), world.join("Eve")
    with pytest.raises(PermissionDenied):
        decide_change_role(world.directory, user_id=eve, role="administrator", actor_id=bob, at=NOW)
    world.take(decide_change_role(world.directory, user_id=bob, role="administrator", actor_id=ada, at=NOW))
    world.take(decide_change_role(world.directory, user_id=ada, role="member", actor_id=bob, at=NOW))
    assert (world.directory.user(ada).role, world.directory.user(bob).role) == ("member", "administrator")


@pytest.mark.parametrize("decide", [decide_deactivate, decide_remove])
def test_the_last_administrator_stays(world: World, ada: str, decide: Callable[..., object]) -> None:
    """A server without one could not be helped from inside."""
    world.join("Bob")
    with pytest.raises(PermissionDenied, match="administrator"):
        decide(world.directory, user_id=ada, actor_id=ada, at=NOW)
    with pytest.raises(PermissionDenied, match="administrator"):
        decide_change_role(world.directory, user_id=ada, role="member", actor_id=ada, at=NOW)


def test_whoever_is_deactivated_is_out_and_their_address_free(world: World, ada: str) -> None:
    """Sessions and memberships end, direct rooms stay as they were, and somebody else may take the address."""
    bob = world.join("Bob")
    direct, closed = world.room("direct", bob, ada), world.room("closed", ada, bob)
    world.take(decide_deactivate(world.directory, user_id=bob, actor_id=ada, at=NOW))
    assert world.directory.sessions_of(bob) == []
    assert world.directory.rooms_of(bob) == {direct}
    assert world.directory.rooms_of(ada) == {world.first_room, direct, closed}
    again = world.take_in("Bob", "bob@example.com")
    assert world.directory.user_by_email("BOB@example.com") is world.directory.user(again)
    with pytest.raises(UserNotFound):
        decide_add_member(world.directory, room_id=closed, user_id=bob, actor_id=ada, at=NOW)


def test_whoever_was_deactivated_may_come_back(world: World, ada: str) -> None:
    """To their address, unless it has gone to somebody else, and to the open rooms."""
    bob = world.join("Bob")
    world.take(decide_deactivate(world.directory, user_id=bob, actor_id=bob, at=NOW))
    world.take(decide_reactivate(world.directory, user_id=bob, actor_id=ada, at=NOW))
    assert world.directory.user(bob).active and world.directory.rooms_of(bob) == {world.first_room}
    assert world.directory.user_by_email("bob@example.com") is world.directory.user(bob)
    world.take(decide_deactivate(world.directory, user_id=bob, actor_id=bob, at=NOW))
    world.take_in("Bob", "bob@example.com")
    with pytest.raises(EmailTaken):
        decide_reactivate(world.directory, user_id=bob, actor_id=ada, at=NOW)


def test_whoever_is_removed_loses_the_name_and_does_not_come_back(world: World, ada: str) -> None:
    """What they said is on its way out."""
    bob = world.join("Bob")
    world.take(decide_remove(world.directory, user_id=bob, actor_id=ada, at=NOW))
    user = world.directory.user(bob)
    assert (user.name, user.email, user.must_lose_messages) == ("Removed person", None, True)
    with pytest.raises(UserNotFound):
        decide_reactivate(world.directory, user_id=bob, actor_id=ada, at=NOW)


def test_a_ban_ends_sessions_and_remembers_public_addresses_only(world: World, ada: str) -> None:
    """A private address is the office's or a proxy's: to close it would shut everybody out."""
    person = world.person("Bob")
    bob = person.user_id
    world.take_in_person(person, address="203.0.114.7")
    for address in ("10.0.0.5", "", "2a00:1450::1"):
        world.sign_in(bob, address=address)
    ended = world.take(decide_ban(world.directory, user_id=bob, actor_id=ada, at=NOW))
    assert sum(isinstance(event, SessionEnded) for event in ended) == 4
    assert set(world.directory.banned_addresses) == {"203.0.114.7", "2a00:1450::1"}
    assert decide_ban(world.directory, user_id=bob, actor_id=ada, at=NOW) == []
    with pytest.raises(PermissionDenied):
        decide_post(
            world.directory, room_id=world.first_room, author_id=bob, body="still", client_message_id="1", at=NOW
        )
    world.take(decide_reactivate(world.directory, user_id=bob, actor_id=ada, at=NOW))
    assert world.directory.banned_addresses == {} and not world.directory.user(bob).must_lose_messages


def test_a_second_ban_also_removes_what_was_said(world: World, ada: str) -> None:
    """Even if the first was lifted before its removal had come to an end."""
    bob = world.join("Bob")
    world.take(decide_ban(world.directory, user_id=bob, actor_id=ada, at=NOW))
    world.take(decide_reactivate(world.directory, user_id=bob, actor_id=ada, at=NOW))
    removed = UserMessagesRemoved(at=NOW, user_id=bob)
    world.take([NewEvent(bob, world.directory.user(bob).version + 1, removed)])
    world.take(decide_ban(world.directory, user_id=bob, actor_id=ada, at=NOW))
    assert world.directory.user(bob).must_lose_messages


def test_who_was_deactivated_and_then_banned_comes_back_whole(world: World, ada: str) -> None:
    """With the address and the open rooms that went with the deactivation; and not if somebody has the address."""
    bob = world.join("Bob")
    for decide in (decide_deactivate, decide_ban, decide_reactivate):
        world.take(decide(world.directory, user_id=bob, actor_id=ada, at=NOW))
    assert world.directory.user_by_email("bob@example.com") is world.directory.user(bob)
    assert world.directory.rooms_of(bob) == {world.first_room}
    for decide in (decide_deactivate, decide_ban):
        world.take(decide(world.directory, user_id=bob, actor_id=ada, at=NOW))
    world.join("Bob")
    with pytest.raises(EmailTaken):
        decide_reactivate(world.directory, user_id=bob, actor_id=ada, at=NOW)


def test_only_administrators_ban_and_never_themselves(world: World, ada: str) -> None:
    """Nobody locks themselves out by a slip."""
    bob = world.join("Bob")
    with pytest.raises(PermissionDenied):
        decide_ban(world.directory, user_id=ada, actor_id=bob, at=NOW)
    with pytest.raises(ValidationFailed):
        decide_ban(world.directory, user_id=ada, actor_id=ada, at=NOW)


def test_an_address_changes_hands_only_when_it_is_free(world: World, ada: str) -> None:
    """The old one is free at once; a taken one is refused; other letters are the same address."""
    bob, eve = world.join("Bob"), world.join("Eve")
    world.take(decide_change_email(world.directory, user_id=bob, email="robert@example.com", at=NOW))
    world.take(decide_change_email(world.directory, user_id=eve, email="bob@example.com", at=NOW))
    with pytest.raises(EmailTaken):
        decide_change_email(world.directory, user_id=bob, email="Bob@Example.com", at=NOW)
    world.take(decide_change_email(world.directory, user_id=bob, email="Robert@Example.com", at=NOW))
    assert world.directory.user(bob).email == "Robert@Example.com"
    assert world.directory.user_by_email("robert@example.com") is world.directory.user(bob)


def test_a_new_password_ends_the_other_sessions(world: World, ada: str) -> None:
    """Whoever knew the old one is out."""
    session = world.directory.sessions_of(ada)[0]
    world.sign_in(ada)
    world.take(
        decide_set_password(world.directory, user_id=ada, password_hash="new", keep_session_id=session.id, at=NOW)
    )
    assert [each.id for each in world.directory.sessions_of(ada)] == [session.id]
    assert world.directory.user(ada).password_hash == "new"


def test_a_transfer_link_signs_in_once_and_not_for_ever(world: World, ada: str) -> None:
    """Within four hours, and only for what it was made."""
    link = NewLink(link_id=world.new_id(), token_hash="h")
    world.take(decide_make_transfer(world.directory, link=link, user_id=ada, at=NOW))
    use = {"token_hash": "h", "session": world.session()}
    with pytest.raises(SignInLinkInvalid):
        decide_transfer(world.directory, **use, at=NOW + VALID_MS["transfer"])
    with pytest.raises(SignInLinkInvalid):
        decide_reset_password(world.directory, **use, password_hash="x", at=NOW)
    world.take(decide_transfer(world.directory, **use, at=NOW + 4 * HOUR - 1))
    assert len(world.directory.sessions_of(ada)) == 2
    with pytest.raises(SignInLinkInvalid):
        decide_transfer(world.directory, **use, at=NOW)


def test_only_the_latest_transfer_link_works(world: World, ada: str) -> None:
    """Nobody heaps up ways in."""
    for token_hash in ("first", "second"):
        link = NewLink(link_id=world.new_id(), token_hash=token_hash)
        world.take(decide_make_transfer(world.directory, link=link, user_id=ada, at=NOW))
    with pytest.raises(SignInLinkInvalid):
        decide_transfer(world.directory, token_hash="first", session=world.session(), at=NOW)
    assert len(world.directory.links_of(ada)) == 1
    world.take(decide_transfer(world.directory, token_hash="second", session=world.session(), at=NOW))


def test_a_password_is_reset_by_a_link_that_an_administrator_made(world: World, ada: str) -> None:
    """It ends every session there was; a banned person's link is worth nothing, not even once they are back."""
    bob = world.join("Bob")
    link = NewLink(link_id=world.new_id(), token_hash="h")
    with pytest.raises(PermissionDenied):
        decide_make_password_reset(world.directory, link=link, user_id=ada, actor_id=bob, at=NOW)
    world.take(decide_make_password_reset(world.directory, link=link, user_id=bob, actor_id=ada, at=NOW))
    session = world.session()
    reset = decide_reset_password(world.directory, token_hash="h", password_hash="new", session=session, at=NOW)
    world.take(decide_ban(world.directory, user_id=bob, actor_id=ada, at=NOW))
    with pytest.raises(SignInLinkInvalid):
        decide_reset_password(world.directory, token_hash="h", password_hash="new", session=session, at=NOW)
    world.take(decide_reactivate(world.directory, user_id=bob, actor_id=ada, at=NOW))
    assert len(reset) == 4
    with pytest.raises(SignInLinkInvalid):
        decide_reset_password(world.directory, token_hash="h", password_hash="new", session=session, at=NOW)
    another = NewLink(link_id=world.new_id(), token_hash="h")
    world.take(decide_make_password_reset(world.directory, link=another, user_id=bob, actor_id=ada, at=NOW))
    world.take(decide_reset_password(world.directory, token_hash="h", password_hash="new", session=session, at=NOW))
    assert [each.id for each in world.directory.sessions_of(bob)] == [session.session_id]


def test_a_deleted_room_is_nowhere(world: World, ada: str) -> None:
    """Its members are out of it, and it cannot be found any more."""
    bob = world.join("Bob")
    room_id = world.room("closed", bob, ada)
    eve = world.join("Eve")
    with pytest.raises(Exception, match="member"):
        decide_delete_room(world.directory, room_id=room_id, actor_id=eve, at=NOW)
    events = world.take(decide_delete_room(world.directory, room_id=room_id, actor_id=ada, at=NOW))
    assert sum(isinstance(event, MemberRemoved) for event in events) == 2
    with pytest.raises(RoomNotFound):
        world.directory.room(room_id)


def test_a_direct_room_that_was_deleted_can_be_had_again(world: World, ada: str) -> None:
    """The same one, since it belongs to the same people; as soon as what was said in it has gone."""
    bob = world.join("Bob")
    for _ in range(3):
        room_id = world.room("direct", ada, bob)
        assert room_id == ids.direct_room_id({ada, bob}) and world.directory.is_member(room_id, bob)
        number = world.directory.room(room_id).position
        world.take(decide_delete_room(world.directory, room_id=room_id, actor_id=bob, at=NOW))
        deleted = world.directory.rooms[room_id]
        with pytest.raises(RoomBeingDeleted):
            world.room("direct", ada, bob)
        world.take([NewEvent(room_id, deleted.version + 1, RoomEmptied(at=NOW, room_id=room_id))])
        assert world.directory.rooms[room_id].position == number


def test_rooms_can_be_left_to_administrators(world: World, ada: str) -> None:
    """Direct rooms are everybody's all the same."""
    bob = world.join("Bob")
    world.take(decide_change_account(world.directory, rooms_by_administrators_only=True, actor_id=ada, at=NOW))
    with pytest.raises(PermissionDenied):
        decide_create_room(
            world.directory, room_id=world.new_id(), name="x", kind="open", members=(), actor_id=bob, at=NOW
        )
    assert world.room("direct", bob, ada)
    with pytest.raises(PermissionDenied):
        decide_change_account(world.directory, name="Mine", actor_id=bob, at=NOW)


@pytest.mark.parametrize("name", ["\u202eadA", "Ada\u2066", "A\u202dda"])
def test_a_name_cannot_turn_the_text_around_it(world: World, ada: str, name: str) -> None:
    """Nor read as the name of another."""
    with pytest.raises(ValidationFailed):
        decide_change_profile(world.directory, user_id=ada, name=name, actor_id=ada, at=NOW)
