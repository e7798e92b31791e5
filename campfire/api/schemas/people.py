"""People, and where they are signed in."""

from typing import Annotated, Literal

from msgspec import Meta

from campfire.api.schemas.base import Answer, Email, Name, Password, Request, Time
from campfire.domain.events import UserStatus
from campfire.domain.people import MAX_BIO


class SignIn(Request, frozen=True, kw_only=True):
    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=200)]


class Author(Answer, frozen=True, kw_only=True):
    id: str
    name: str


class ChangeProfile(Request, frozen=True, kw_only=True):
    """What is left out stays."""

    name: Name | None = None
    bio: Annotated[str, Meta(max_length=MAX_BIO)] | None = None


class ChangeEmail(Request, frozen=True, kw_only=True):
    email: Email
    password: Annotated[str, Meta(max_length=200, description="the present one")]


class ChangePassword(Request, frozen=True, kw_only=True):
    current: Annotated[str, Meta(max_length=200)]
    new: Password


class ResetPassword(Request, frozen=True, kw_only=True):
    password: Password


class ChangeRole(Request, frozen=True, kw_only=True):
    role: Literal["administrator", "member"]


class User(Answer, frozen=True, kw_only=True):
    """Somebody as everybody may see them. `number` is short and never changes."""

    id: str
    number: int
    name: str
    role: Literal["administrator", "member", "bot"]
    bio: str
    status: UserStatus
    avatar_url: str
    created_at: Time
    can_sign_in: bool


class Me(Answer, frozen=True, kw_only=True):
    id: str
    number: int
    name: str
    role: Literal["administrator", "member", "bot"]
    bio: str
    avatar_url: str
    created_at: Time
    email: str | None
    session_id: str


class SignInLink(Answer, frozen=True, kw_only=True):
    """A link that works once. `qr` is the same as a QR code: an SVG image."""

    url: str
    token: str
    qr: str
    expires_at: Time


class Users(Answer, frozen=True, kw_only=True):
    users: list[User]


class SignedIn(Answer, frozen=True, kw_only=True):
    token: str
    user: Me


class Session(Answer, frozen=True, kw_only=True):
    id: str
    created_at: Time
    expires_at: Time
    user_agent: str
    address: str
    current: bool


class Sessions(Answer, frozen=True, kw_only=True):
    sessions: list[Session]
