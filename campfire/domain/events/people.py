"""People and bots."""

from typing import ClassVar

from campfire.domain.events.base import Event, Origin, Role


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


class ProfileChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """How somebody shows themselves from now on. Stream: the user's id."""

    topic: ClassVar[str] = "user.profile_changed"

    user_id: str
    by: str
    name: str
    bio: str = ""


class AvatarSet(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody's picture: the content's digest (SHA-256, hex), None for initials. Stream: the user's id."""

    topic: ClassVar[str] = "user.avatar_set"

    user_id: str
    by: str
    digest: str | None = None


class RoleChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Stream: the user's id."""

    topic: ClassVar[str] = "user.role_changed"

    user_id: str
    by: str
    role: Role


class EmailChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A user's address is another one. Recorded with the claim to it. Stream: the user's id."""

    topic: ClassVar[str] = "user.email_changed"

    user_id: str
    email: str


class EmailReleased(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An address is free again. Stream: `ids.email_stream(email)`."""

    topic: ClassVar[str] = "email.released"

    email: str
    user_id: str


class UserDeactivated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody is no longer here; what they said stays. Stream: the user's id."""

    topic: ClassVar[str] = "user.deactivated"

    user_id: str
    by: str


class UserReactivated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who was deactivated or banned may come back. Stream: the user's id."""

    topic: ClassVar[str] = "user.reactivated"

    user_id: str
    by: str


class UserRemoved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody is gone for good; what they said goes too, in the background. Stream: the user's id."""

    topic: ClassVar[str] = "user.removed"

    user_id: str
    by: str


class UserBanned(Event, frozen=True, kw_only=True, omit_defaults=True):
    """As removed, and nothing may be changed from `addresses` (IP) any more. Stream: the user's id."""

    topic: ClassVar[str] = "user.banned"

    user_id: str
    by: str
    addresses: tuple[str, ...] = ()


class UserMessagesRemoved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that a banned or removed user had said is deleted. Stream: the user's id."""

    topic: ClassVar[str] = "user.messages_removed"

    user_id: str


class NicknameChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An imported nickname went on as another one. Stream: `ids.imported_line_id`."""

    topic: ClassVar[str] = "user.nickname_changed"

    room_id: str
    user_id: str
    new_user_id: str
    origin: Origin = "import"
