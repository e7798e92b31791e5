"""The account, its people, and where they are signed in."""

from typing import ClassVar

from campfire.domain.events.base import Event, Origin, Role, SessionEnd


class AccountCreated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The server was set up. Stream: `ids.ACCOUNT_STREAM`."""

    topic: ClassVar[str] = "account.created"

    name: str
    join_code: str


class UserCreated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A person or bot exists. Stream: the user's id."""

    topic: ClassVar[str] = "user.created"

    user_id: str
    name: str
    role: Role
    email: str | None = None
    can_sign_in: bool = True
    origin: Origin = "live"


class EmailClaimed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An address belongs to a user. Stream: `ids.email_stream(email)`."""

    topic: ClassVar[str] = "email.claimed"

    email: str
    user_id: str


class PasswordSet(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A user's password hash (Argon2id, PHC string). Stream: the user's id. Never leaves the server."""

    topic: ClassVar[str] = "user.password_set"

    user_id: str
    password_hash: str


class NicknameChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An imported nickname went on as another one. Stream: `ids.imported_line_id`."""

    topic: ClassVar[str] = "user.nickname_changed"

    room_id: str
    user_id: str
    new_user_id: str
    origin: Origin = "import"


class SessionStarted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody signed in. Only the token's hash is kept (SHA-256, hex). Stream: the session's id."""

    topic: ClassVar[str] = "session.started"

    session_id: str
    user_id: str
    token_hash: str
    expires_at: int
    user_agent: str = ""
    address: str = ""


class SessionEnded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A session can no longer be used. Stream: the session's id."""

    topic: ClassVar[str] = "session.ended"

    session_id: str
    user_id: str
    reason: SessionEnd
