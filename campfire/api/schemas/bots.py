"""Bots, and the commands that they answer to."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from campfire.api.schemas.base import Answer, Name, Request, Time
from campfire.api.schemas.people import Author
from campfire.domain.bots import MAX_DESCRIPTION, MOST_COMMANDS
from campfire.domain.events import UserStatus
from campfire.domain.people import MAX_BIO
from campfire.domain.web_addresses import MAX_URL

WebhookUrl = Annotated[
    str,
    Meta(min_length=1, max_length=MAX_URL, description="http:// or https://", examples=["https://bot.example.com/"]),
]
Key = Annotated[str, Meta(description="shown this once", examples=["7-AbC123xyz456"])]


class CreateBot(Request, frozen=True, kw_only=True):
    name: Name
    webhook_url: WebhookUrl | None = None


class ChangeBot(Request, frozen=True, kw_only=True):
    """What is left out stays. `webhook_url` null: the bot is not called any more."""

    name: Name | None = None
    bio: Annotated[str, Meta(max_length=MAX_BIO)] | None = None
    webhook_url: WebhookUrl | UnsetType | None = UNSET


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`name` without the slash."""

    name: Annotated[str, Meta(min_length=1, max_length=32, examples=["deploy"])]
    description: Annotated[str, Meta(max_length=MAX_DESCRIPTION)] = ""


class SetCommands(Request, frozen=True, kw_only=True):
    commands: Annotated[list[Command], Meta(max_length=MOST_COMMANDS)]


class Bot(Answer, frozen=True, kw_only=True):
    """A bot as administrators see it. It can be let in only while `has_key`."""

    id: str
    number: int
    name: str
    bio: str
    status: UserStatus
    avatar_url: str
    created_at: Time
    webhook_url: str | None
    commands: list[Command]
    has_key: bool


class BotWithKey(Bot, frozen=True, kw_only=True):
    key: Key


class BotKey(Answer, frozen=True, kw_only=True):
    id: str
    key: Key


class Bots(Answer, frozen=True, kw_only=True):
    bots: list[Bot]


class BotCommands(Answer, frozen=True, kw_only=True):
    """What one bot answers to."""

    commands: list[Command]


class OfferedCommand(Answer, frozen=True, kw_only=True):
    name: str
    description: str
    bot: Author


class Commands(Answer, frozen=True, kw_only=True):
    """By name."""

    commands: list[OfferedCommand]
