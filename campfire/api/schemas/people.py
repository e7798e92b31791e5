"""People, and where they are signed in."""

from typing import Annotated, Literal

from msgspec import Meta

from campfire.api.schemas.base import Answer, Request, Time


class SignIn(Request, frozen=True, kw_only=True):
    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=200)]


class Author(Answer, frozen=True, kw_only=True):
    id: str
    name: str


class User(Answer, frozen=True, kw_only=True):
    id: str
    name: str
    role: Literal["administrator", "member", "bot"]
    created_at: Time
    can_sign_in: bool


class Me(Answer, frozen=True, kw_only=True):
    id: str
    name: str
    role: Literal["administrator", "member", "bot"]
    created_at: Time
    email: str | None
    session_id: str


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
