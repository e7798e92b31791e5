import pytest
from domain_support.world import DAY, NOW, World

from campfire.domain import ids
from campfire.domain.errors import InvalidCredentials, SessionNotFound
from campfire.domain.events import NewEvent, SessionEnded, UserCreated
from campfire.domain.sessions import decide_end_session, decide_expiry, decide_sign_in


def sign_in(world: World, user_id: str, expires_at: int = NOW + DAY) -> str:
    session = world.session(expires_at=expires_at)
    world.take(
        decide_sign_in(
            world.directory,
            user_id=user_id,
            password_hash=world.directory.users[user_id].password_hash,
            session=session,
            at=NOW,
        )
    )
    return session.session_id


def test_a_session_is_found_by_its_token_until_it_ends(world: World, ada: str) -> None:
    """Only the token's hash is known; after the end it opens nothing."""
    session_id = sign_in(world, ada)
    found = world.directory.session_by_token_hash(f"hash of {session_id}")
    assert found is not None and found.user_id == ada
    [ended] = world.take(
        decide_end_session(world.directory, session_id=session_id, actor_id=ada, reason="signed_out", at=NOW)
    )
    assert isinstance(ended, SessionEnded) and ended.reason == "signed_out"
    assert world.directory.session_by_token_hash(f"hash of {session_id}") is None


def test_each_device_has_its_own_session(world: World, ada: str) -> None:
    """Ending one leaves the others."""
    first, second = sign_in(world, ada), sign_in(world, ada)
    world.take(decide_end_session(world.directory, session_id=first, actor_id=ada, reason="revoked", at=NOW))
    assert second in {session.id for session in world.directory.sessions_of(ada)}


def test_an_ended_session_cannot_end_again(world: World, ada: str) -> None:
    """The second attempt learns that there is none."""
    session_id = sign_in(world, ada)
    world.take(decide_end_session(world.directory, session_id=session_id, actor_id=ada, reason="revoked", at=NOW))
    with pytest.raises(SessionNotFound):
        decide_end_session(world.directory, session_id=session_id, actor_id=ada, reason="revoked", at=NOW)


def test_members_end_their_own_sessions_and_learn_nothing_of_others(world: World, ada: str, bob: str) -> None:
    """A foreign session looks like none at all."""
    hers = sign_in(world, ada)
    with pytest.raises(SessionNotFound):
        decide_end_session(world.directory, session_id=hers, actor_id=bob, reason="revoked", at=NOW)


def test_an_administrator_may_end_anybodys_session(world: World, ada: str, bob: str) -> None:
    """A lost telephone is the administrator's business."""
    his = sign_in(world, bob)
    world.take(decide_end_session(world.directory, session_id=his, actor_id=ada, reason="revoked", at=NOW))
    assert his not in world.directory.sessions


def test_sessions_that_have_run_out_are_put_on_record(world: World, ada: str) -> None:
    """At the very moment, not before; a second look finds nothing more."""
    short, long = sign_in(world, ada, NOW + 1_000), sign_in(world, ada, NOW + 2_000)
    assert decide_expiry(world.directory, at=NOW + 999) == []
    [ended] = world.take(decide_expiry(world.directory, at=NOW + 1_000))
    assert isinstance(ended, SessionEnded) and (ended.session_id, ended.reason) == (short, "expired")
    assert decide_expiry(world.directory, at=NOW + 1_000) == []
    assert long in world.directory.sessions


def test_people_from_an_import_cannot_sign_in(world: World, ada: str) -> None:
    """Nor can anybody unknown; both hear the same as for a wrong password."""
    ghost = ids.imported_user_id("irc", "ghost")
    created = UserCreated(at=NOW, user_id=ghost, name="ghost", role="member", can_sign_in=False, origin="import")
    world.take([NewEvent(ghost, 1, created)])
    for user_id in (ghost, world.new_id()):
        with pytest.raises(InvalidCredentials, match="wrong"):
            decide_sign_in(world.directory, user_id=user_id, password_hash=None, session=world.session(), at=NOW)


def test_a_password_that_was_changed_while_it_was_looked_at_lets_nobody_in(world: World, ada: str) -> None:
    """Looking takes a while, in which the sessions of the old one have ended."""
    with pytest.raises(InvalidCredentials):
        decide_sign_in(world.directory, user_id=ada, password_hash="old", session=world.session(), at=NOW)
