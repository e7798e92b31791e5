"""Signing in and out."""

from campfire.domain.accounts import NewSession, session_started
from campfire.domain.directory import Directory
from campfire.domain.errors import InvalidCredentials, SessionNotFound
from campfire.domain.events import NewEvent, SessionEnd, SessionEnded, SignInLinkUsed


def decide_sign_in(
    directory: Directory, *, user_id: str, password_hash: str | None, session: NewSession, at: int
) -> list[NewEvent]:
    """Start a session for somebody whose password fitted `password_hash`.

    Raises `InvalidCredentials` for who may not sign in, and if the password was changed while it was looked at.
    """
    user = directory.users.get(user_id)
    if user is None or not user.active or not user.can_sign_in or user.password_hash != password_hash:
        raise InvalidCredentials("The e-mail address or password is wrong.")
    return [session_started(session, user_id, at)]


def decide_end_session(
    directory: Directory, *, session_id: str, actor_id: str, reason: SessionEnd, at: int
) -> list[NewEvent]:
    """End a session; whoever it belongs to and administrators may. Raises `SessionNotFound`."""
    session = directory.sessions.get(session_id)
    if session is None or (session.user_id != actor_id and directory.user(actor_id).role != "administrator"):
        raise SessionNotFound("There is no such session; it may have ended already.")
    ended = SessionEnded(at=at, session_id=session_id, user_id=session.user_id, reason=reason)
    links = links_withdrawn(directory, session.user_id, at) if reason == "revoked" else []
    return [NewEvent(session_id, session.version + 1, ended), *links]


def decide_end_other_sessions(directory: Directory, *, user_id: str, session_id: str, at: int) -> list[NewEvent]:
    """End all of somebody's sessions but the one that they ask from, and what could start another."""
    return [
        *sessions_ended(directory, user_id, "revoked", at, but=session_id),
        *links_withdrawn(directory, user_id, at),
    ]


def links_withdrawn(directory: Directory, user_id: str, at: int, *, but: str | None = None) -> list[NewEvent]:
    """The end of all of somebody's sign-in links, or all but one.

    Wherever sessions are ended on purpose: who had one may have made a link to come back by.
    """
    return [
        NewEvent(link.id, 2, SignInLinkUsed(at=at, link_id=link.id, user_id=user_id))
        for link in directory.links_of(user_id)
        if link.id != but
    ]


def sessions_ended(
    directory: Directory, user_id: str, reason: SessionEnd, at: int, *, but: str | None = None
) -> list[NewEvent]:
    """The end of all of somebody's sessions, or all but one."""
    return [
        NewEvent(
            session.id,
            session.version + 1,
            SessionEnded(at=at, session_id=session.id, user_id=user_id, reason=reason),
        )
        for session in directory.sessions_of(user_id)
        if session.id != but
    ]


def decide_expiry(directory: Directory, *, at: int) -> list[NewEvent]:
    """Put on record which sessions have run out by `at`."""
    return [
        NewEvent(
            session.id,
            session.version + 1,
            SessionEnded(at=at, session_id=session.id, user_id=session.user_id, reason="expired"),
        )
        for session in directory.sessions.values()
        if session.expires_at <= at
    ]
