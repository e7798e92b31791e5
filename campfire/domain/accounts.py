"""How a server begins, and how people come to it."""

import hmac

import msgspec

from campfire.domain import ids
from campfire.domain.directory import Directory
from campfire.domain.errors import (
    EmailTaken,
    JoinCodeInvalid,
    PermissionDenied,
    SetupAlreadyDone,
    SetupRequired,
    ValidationFailed,
)
from campfire.domain.events import (
    AccountChanged,
    AccountCreated,
    EmailClaimed,
    JoinCodeRotated,
    LogoSet,
    MemberAdded,
    NewEvent,
    PasswordSet,
    Role,
    RoomCreated,
    SessionStarted,
    UserCreated,
)
from campfire.domain.names import clean_email, clean_name

FIRST_ROOM = "All Talk"
MAX_STYLES = 50_000


class NewPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody about to exist. `password_hash` is an Argon2id PHC string."""

    user_id: str
    name: str
    email: str
    password_hash: str


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session about to start. `token_hash` is SHA-256 in hex, `expires_at` in milliseconds."""

    session_id: str
    token_hash: str
    expires_at: int
    user_agent: str = ""
    address: str = ""


def decide_setup(
    directory: Directory,
    *,
    account_name: str,
    person: NewPerson,
    session: NewSession,
    room_id: str,
    room_name: str = FIRST_ROOM,
    join_code: str,
    at: int,
) -> list[NewEvent]:
    """Make the account, its administrator and a first open room, once.

    There may be open rooms already, from an import; the administrator is a member of them too.
    Two set-ups at the same time both want the account stream's first version: one of them loses.
    Raises `SetupAlreadyDone`, `ValidationFailed`.
    """
    if directory.account is not None:
        raise SetupAlreadyDone("This server has been set up already.")
    account = AccountCreated(at=at, name=clean_name(account_name, "account"), join_code=join_code)
    room = RoomCreated(
        at=at,
        room_id=room_id,
        name=clean_name(room_name, "room"),
        kind="open",
        created_by=person.user_id,
        members=(person.user_id,),
    )
    return [
        NewEvent(ids.ACCOUNT_STREAM, 1, account),
        *_arrival(directory, person, "administrator", at),
        session_started(session, person.user_id, at),
        NewEvent(room_id, 1, room),
        *open_rooms_joined(directory, person.user_id, at),
    ]


def decide_join(
    directory: Directory, *, join_code: str, person: NewPerson, session: NewSession, at: int
) -> list[NewEvent]:
    """Let somebody in who has the invitation; they become a member of every open room.

    Raises `SetupRequired`, `JoinCodeInvalid`, `EmailTaken`, `ValidationFailed`.
    """
    require_join_code(directory, join_code)
    return [
        *_arrival(directory, person, "member", at),
        session_started(session, person.user_id, at),
        *open_rooms_joined(directory, person.user_id, at),
    ]


def require_join_code(directory: Directory, join_code: str) -> None:
    """Raises `SetupRequired` or `JoinCodeInvalid`; compares in constant time."""
    if directory.account is None:
        raise SetupRequired("This server has not been set up yet.")
    if not hmac.compare_digest(directory.account.join_code.encode(), join_code.encode(errors="replace")):
        raise JoinCodeInvalid("This invitation is not valid; ask for the current one.")


def decide_change_account(
    directory: Directory,
    *,
    name: str | None = None,
    custom_styles: str | None = None,
    rooms_by_administrators_only: bool | None = None,
    retention_days: int | None = None,
    actor_id: str,
    at: int,
) -> list[NewEvent]:
    """Change how the server is called, looks and is run; what is None stays. Administrators may.

    Raises `PermissionDenied`, `ValidationFailed`.
    """
    require_administrator(directory, actor_id)
    if custom_styles is not None:
        custom_styles = _clean_styles(custom_styles)
    changed = AccountChanged(
        at=at,
        by=actor_id,
        name=None if name is None else clean_name(name, "name"),
        custom_styles=custom_styles,
        rooms_by_administrators_only=rooms_by_administrators_only,
        retention_days=retention_days,
    )
    return [NewEvent(ids.ACCOUNT_STREAM, None, changed)]


def decide_rotate_join_code(directory: Directory, *, join_code: str, actor_id: str, at: int) -> list[NewEvent]:
    """Make the invitation another one. Administrators may. Raises `PermissionDenied`."""
    require_administrator(directory, actor_id)
    rotated = JoinCodeRotated(at=at, by=actor_id, join_code=join_code)
    return [NewEvent(ids.ACCOUNT_STREAM, None, rotated)]


def decide_set_logo(directory: Directory, *, digest: str | None, actor_id: str, at: int) -> list[NewEvent]:
    """Give the account a picture, or none. Administrators may. Raises `PermissionDenied`."""
    require_administrator(directory, actor_id)
    return [NewEvent(ids.ACCOUNT_STREAM, None, LogoSet(at=at, by=actor_id, digest=digest))]


def session_started(session: NewSession, user_id: str, at: int) -> NewEvent:
    """The event that starts `session`."""
    started = SessionStarted(
        at=at,
        session_id=session.session_id,
        user_id=user_id,
        token_hash=session.token_hash,
        expires_at=session.expires_at,
        user_agent=session.user_agent[:300],
        address=session.address[:100],
    )
    return NewEvent(session.session_id, 1, started)


def open_rooms_joined(directory: Directory, user_id: str, at: int) -> list[NewEvent]:
    """The events by which somebody who is in no room becomes a member of every open one."""
    return [
        NewEvent(
            ids.membership_stream(room.id, user_id),
            directory.membership_version(room.id, user_id) + 1,
            MemberAdded(at=at, room_id=room.id, user_id=user_id, by=user_id),
        )
        for room in directory.rooms.values()
        if room.kind == "open" and room.is_alive
    ]


def _arrival(directory: Directory, person: NewPerson, role: Role, at: int) -> list[NewEvent]:
    email = clean_email(person.email)
    if directory.user_by_email(email) is not None:
        raise EmailTaken("This e-mail address is already in use.")
    created = UserCreated(at=at, user_id=person.user_id, name=clean_name(person.name, "name"), role=role, email=email)
    return [
        NewEvent(person.user_id, 1, created),
        NewEvent(
            ids.email_stream(email),
            directory.email_version(email) + 1,
            EmailClaimed(at=at, email=email, user_id=person.user_id),
        ),
        NewEvent(person.user_id, 2, PasswordSet(at=at, user_id=person.user_id, password_hash=person.password_hash)),
    ]


def require_administrator(directory: Directory, actor_id: str) -> None:
    """Raises `PermissionDenied`."""
    if directory.user(actor_id).role != "administrator":
        raise PermissionDenied("Only an administrator may do this.")


def _clean_styles(styles: str) -> str:
    if len(styles) > MAX_STYLES or any(character == "\0" or "\ud800" <= character <= "\udfff" for character in styles):
        message = f"must have at most {MAX_STYLES:,} characters, and be text"
        raise ValidationFailed(f"custom_styles {message}.", errors=[{"field": "custom_styles", "message": message}])
    return styles
