"""Bots: how they are let in, where they are called, and what by."""

from typing import ClassVar

import msgspec

from campfire.domain.events.base import Event


class BotKeySet(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A bot has another key from now on, which is its short number, a dash and a token. Stream: the bot's id.

    `token_hash` (SHA-256, hex) is for letting it in; `sealed_token` is for telling the bot where to answer,
    and can be opened only with the server's key file (`campfire.sealing`).
    """

    topic: ClassVar[str] = "bot.key_set"

    bot_id: str
    by: str
    token_hash: str
    sealed_token: str


class BotWebhookSet(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Where a bot is called, None for nowhere. Stream: the bot's id."""

    topic: ClassVar[str] = "bot.webhook_set"

    bot_id: str
    by: str
    url: str | None = None


class BotCommand(msgspec.Struct, frozen=True):
    """A slash command: its name without the slash, and what it is for."""

    name: str
    description: str = ""


class BotCommandsSet(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The slash commands that a bot answers to are these, in order. Stream: the bot's id."""

    topic: ClassVar[str] = "bot.commands_set"

    bot_id: str
    by: str
    commands: tuple[BotCommand, ...] = ()


class BotCalled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A message is meant for a bot: it is mentioned, written to directly, or its command was given.

    Recorded with the message. `command` is the slash command's name without the slash. Holds nothing of what
    was said, so that a deleted message leaves nothing here; the short numbers are what ONCE Campfire's contract
    names things by. Stream: `ids.bot_call_stream`.
    """

    topic: ClassVar[str] = "bot.called"

    bot_id: str
    message_id: str
    room_id: str
    room_number: int
    room_name: str
    user_id: str
    user_number: int
    user_name: str
    command: str | None = None
    hops: int = 0
