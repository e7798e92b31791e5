"""Signing in and out."""

from campfire.domain.accounts import NewSession, session_started
from campfire.domain.directory import Directory
from campfire.domain.errors import InvalidCredentials, SessionNotFound
from campfire.domain.events import NewEvent, SessionEnd, SessionEnded


def decide_sign_in(directory: Directory, *, user_id: str, session: NewSession, at: int) -> list[NewEvent]:
    """Start a session for somebody whose password was right. Raises `InvalidCredentials` for who may not sign in."""
    user = directory.users.get(user_id)
    if user is None or not user.active or not user.can_sign_in:
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
    return [NewEvent(session_id, session.version + 1, ended)]


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
