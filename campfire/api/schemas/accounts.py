"""The account, and coming to it."""

from typing import Annotated

from msgspec import Meta

from campfire.api.schemas.base import Answer, Email, Name, Password, Request, Time
from campfire.api.schemas.people import Me
from campfire.api.schemas.rooms import Room
from campfire.domain.accounts import MAX_STYLES


class Setup(Request, frozen=True, kw_only=True):
    account: Name
    name: Name
    email: Email
    password: Password


class Join(Request, frozen=True, kw_only=True):
    name: Name
    email: Email
    password: Password


class ChangeAccount(Request, frozen=True, kw_only=True):
    """What is left out stays."""

    name: Name | None = None
    custom_styles: Annotated[str, Meta(max_length=MAX_STYLES, description="CSS; empty for none")] | None = None
    rooms_by_administrators_only: bool | None = None
    retention_days: Annotated[int, Meta(ge=0, le=36_500, description="0 keeps messages for ever")] | None = None


class Account(Answer, frozen=True, kw_only=True):
    name: str
    join_code: str | None
    created_at: Time
    custom_styles: str
    rooms_by_administrators_only: bool
    retention_days: int
    logo_url: str | None


class Welcome(Answer, frozen=True, kw_only=True):
    """What somebody who is not signed in may know."""

    set_up: bool
    name: str | None
    logo_url: str | None


class Invitation(Answer, frozen=True, kw_only=True):
    """What an invitation leads to."""

    account: str


class JoinCode(Answer, frozen=True, kw_only=True):
    join_code: str


class SetupDone(Answer, frozen=True, kw_only=True):
    token: str
    user: Me
    account: Account
    room: Room
