"""People: how they show themselves, what they may, and how they go."""

import unicodedata
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Literal

from campfire.domain import ids
from campfire.domain.accounts import open_rooms_joined, require_administrator
from campfire.domain.directory import Directory
from campfire.domain.errors import EmailTaken, PermissionDenied, UserNotFound, refused
from campfire.domain.events import (
    AvatarSet,
    EmailChanged,
    EmailClaimed,
    EmailReleased,
    Event,
    NewEvent,
    PasswordSet,
    ProfileChanged,
    Role,
    RoleChanged,
    UserBanned,
    UserDeactivated,
    UserReactivated,
    UserRemoved,
)
from campfire.domain.names import clean_email, clean_name
from campfire.domain.rooms import member_removed
from campfire.domain.sessions import links_withdrawn, sessions_ended
from campfire.domain.states import UserState

MAX_BIO = 500
REMOVED_NAME = "Removed person"


def decide_change_profile(
    directory: Directory, *, user_id: str, name: str | None = None, bio: str | None = None, actor_id: str, at: int
) -> list[NewEvent]:
    """Change one's own name and what one says of oneself; administrators also that of bots.

    What is None stays. Raises `UserNotFound`, `PermissionDenied`, `ValidationFailed`.
    """
    user = _present(directory, user_id)
    if user_id != actor_id and user.role != "bot":
        raise PermissionDenied("Everybody's profile is their own.")
    if user_id != actor_id:
        require_administrator(directory, actor_id)
    name = user.name if name is None else clean_name(name, "name")
    bio = user.bio if bio is None else _clean_bio(bio)
    if (name, bio) == (user.name, user.bio):
        return []
    return _of(user, ProfileChanged(at=at, user_id=user_id, by=actor_id, name=name, bio=bio))


def decide_set_avatar(
    directory: Directory, *, user_id: str, digest: str | None, actor_id: str, at: int
) -> list[NewEvent]:
    """Show oneself by a picture, or by initials again; administrators also bots. Raises as `decide_change_profile`."""
    user = _present(directory, user_id)
    if user_id != actor_id:
        if user.role != "bot":
            raise PermissionDenied("Everybody's picture is their own.")
        require_administrator(directory, actor_id)
    if digest == user.avatar:
        return []
    return _of(user, AvatarSet(at=at, user_id=user_id, by=actor_id, digest=digest))


def decide_change_role(
    directory: Directory, *, user_id: str, role: Literal["administrator", "member"], actor_id: str, at: int
) -> list[NewEvent]:
    """Let somebody administer, or no longer. Raises `PermissionDenied`, `UserNotFound`, `ValidationFailed`."""
    require_administrator(directory, actor_id)
    return decide_set_role(directory, user_id=user_id, role=role, by=actor_id, at=at)


def decide_set_role(directory: Directory, *, user_id: str, role: Role, by: str, at: int) -> list[NewEvent]:
    """As `decide_change_role`, for whoever runs the server (`by` is empty then)."""
    user = _present(directory, user_id)
    if user.role == "bot" or not user.can_sign_in or role == "bot":
        raise refused("role", "can only be given to somebody who signs in")
    if role == user.role:
        return []
    if role == "member":
        _require_another_administrator(directory, user)
    return _of(user, RoleChanged(at=at, user_id=user_id, by=by, role=role))


def decide_change_email(directory: Directory, *, user_id: str, email: str, at: int) -> list[NewEvent]:
    """Sign in with another address from now on. Raises `EmailTaken`, `ValidationFailed`."""
    user = _present(directory, user_id)
    email = clean_email(email)
    if email == user.email:
        return []
    changed = _of(user, EmailChanged(at=at, user_id=user_id, email=email))
    owner = directory.user_by_email(email)
    if owner is not None and owner.id != user_id:
        raise EmailTaken("This e-mail address is already in use.")
    if owner is not None:  # the same address in other letters
        return changed
    return [*changed, *_released(directory, user, at), email_claimed(directory, email, user_id, at)]


def decide_set_password(
    directory: Directory,
    *,
    user_id: str,
    password_hash: str,
    keep_session_id: str | None,
    link_id: str | None = None,
    at: int,
) -> list[NewEvent]:
    """Set a new password and end every session but one, and every link but the one it came by:
    whoever knew the old one is out.
    """
    user = _present(directory, user_id)
    return [
        *_of(user, PasswordSet(at=at, user_id=user_id, password_hash=password_hash)),
        *sessions_ended(directory, user_id, "password_changed", at, but=keep_session_id),
        *links_withdrawn(directory, user_id, at, but=link_id),
    ]


def decide_deactivate(directory: Directory, *, user_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """End somebody's sessions and memberships and free their address; what they said stays.

    One may do so oneself, bots apart, and administrators. Raises `PermissionDenied`, `UserNotFound`,
    `ValidationFailed`.
    """
    user = _whom_one_may_end(directory, user_id, actor_id)
    return [
        *_of(user, UserDeactivated(at=at, user_id=user_id, by=actor_id)),
        *_gone(directory, user, actor_id, at),
    ]


def decide_remove(directory: Directory, *, user_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """As `decide_deactivate`, for good: the name goes at once, and what they said in the background."""
    user = _whom_one_may_end(directory, user_id, actor_id, also_deactivated=True)
    return [
        *_of(
            user,
            UserRemoved(at=at, user_id=user_id, by=actor_id),
            ProfileChanged(at=at, user_id=user_id, by=actor_id, name=REMOVED_NAME),
        ),
        *_gone(directory, user, actor_id, at),
    ]


def decide_ban(directory: Directory, *, user_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """End somebody's sessions at once, let nothing be changed from their public addresses, remove what they said.

    Administrators may. Raises `PermissionDenied`, `UserNotFound`, `ValidationFailed`.
    """
    require_administrator(directory, actor_id)
    user = _present(directory, user_id)
    if user_id == actor_id:
        raise refused("user_id", "must not be oneself")
    if user.role == "bot":
        raise refused("user_id", "is a bot, which is removed instead")
    if user.status == "banned":
        return []
    _require_another_administrator(directory, user)
    addresses = _public_addresses(session.address for session in directory.sessions_of(user_id))
    return [
        *_of(user, UserBanned(at=at, user_id=user_id, by=actor_id, addresses=addresses)),
        *sessions_ended(directory, user_id, "banned", at),
        *links_withdrawn(directory, user_id, at),
    ]


def decide_reactivate(directory: Directory, *, user_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """Let somebody come back who was deactivated or banned: their address and the open rooms are theirs again.

    Who was only banned has kept both. Raises `PermissionDenied`, `UserNotFound` for somebody removed, `EmailTaken`.
    """
    require_administrator(directory, actor_id)
    user = _present(directory, user_id)
    if user.status == "active":
        return []
    back = _of(user, UserReactivated(at=at, user_id=user_id, by=actor_id))
    owner = None if user.email is None else directory.user_by_email(user.email)
    if user.status == "banned" and (user.email is None or owner is user):
        return back
    claim = []
    if user.email is not None:
        if owner is not None:
            raise EmailTaken("Somebody else has their e-mail address now; let them join again with another.")
        claim.append(email_claimed(directory, user.email, user_id, at))
    return [*back, *claim, *open_rooms_joined(directory, user_id, at)]


def email_claimed(directory: Directory, email: str, user_id: str, at: int) -> NewEvent:
    """The event by which a free address becomes somebody's."""
    version = directory.email_version(email) + 1
    return NewEvent(ids.email_stream(email), version, EmailClaimed(at=at, email=email, user_id=user_id))


def _present(directory: Directory, user_id: str) -> UserState:
    user = directory.user(user_id)
    if user.status == "removed":
        raise UserNotFound("This person has been removed.")
    return user


def _whom_one_may_end(
    directory: Directory, user_id: str, actor_id: str, *, also_deactivated: bool = False
) -> UserState:
    if user_id != actor_id or directory.user(actor_id).role == "bot":
        require_administrator(directory, actor_id)
    user = _present(directory, user_id)
    if user_id == ids.NOTICES_BOT:
        raise PermissionDenied("In this bot's name the server says what administrators must know; it stays.")
    if user.status == "deactivated" and not also_deactivated:
        raise UserNotFound("This person has been deactivated already.")
    _require_another_administrator(directory, user)
    return user


def _require_another_administrator(directory: Directory, user: UserState) -> None:
    others = (each for each in directory.users.values() if each.role == "administrator" and each.id != user.id)
    if user.role == "administrator" and not any(each.active for each in others):
        raise PermissionDenied("Nobody would be left to administer; make somebody else an administrator first.")


def _of(user: UserState, *events: Event) -> list[NewEvent]:
    return [NewEvent(user.id, user.version + number, event) for number, event in enumerate(events, 1)]


def _gone(directory: Directory, user: UserState, actor_id: str, at: int) -> list[NewEvent]:
    rooms = [directory.rooms[room_id] for room_id in sorted(directory.rooms_of(user.id))]
    return [
        *sessions_ended(directory, user.id, "deactivated", at),
        *links_withdrawn(directory, user.id, at),
        *_released(directory, user, at),
        *(member_removed(directory, room.id, user.id, actor_id, at) for room in rooms if room.kind != "direct"),
    ]


def _released(directory: Directory, user: UserState, at: int) -> list[NewEvent]:
    if user.email is None or directory.user_by_email(user.email) is not user:
        return []
    version = directory.email_version(user.email) + 1
    released = EmailReleased(at=at, email=user.email, user_id=user.id)
    return [NewEvent(ids.email_stream(user.email), version, released)]


def _public_addresses(addresses: Iterable[str]) -> tuple[str, ...]:
    """Those that belong to one person or household rather than to a network of our own or to a proxy."""
    public: set[str] = set()
    for address in addresses:
        try:
            if ip_address(address).is_global:
                public.add(address)
        except ValueError:
            continue  # a session over a socket without an address
    return tuple(sorted(public))


def _clean_bio(bio: str) -> str:
    bio = bio.strip()
    if len(bio) > MAX_BIO:
        raise refused("bio", f"must have at most {MAX_BIO} characters")
    if any(unicodedata.category(character) in ("Cc", "Cs") and character != "\n" for character in bio):
        raise refused("bio", "must not hold control characters")
    return bio
