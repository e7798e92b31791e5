"""The account, and coming to it."""

from campfire.api.schemas.base import Answer, Email, Name, Password, Request, Time
from campfire.api.schemas.people import Me
from campfire.api.schemas.rooms import Room


class Setup(Request, frozen=True, kw_only=True):
    account: Name
    name: Name
    email: Email
    password: Password


class Join(Request, frozen=True, kw_only=True):
    name: Name
    email: Email
    password: Password


class Account(Answer, frozen=True, kw_only=True):
    name: str
    join_code: str | None
    created_at: Time


class SetupDone(Answer, frozen=True, kw_only=True):
    token: str
    user: Me
    account: Account
    room: Room
