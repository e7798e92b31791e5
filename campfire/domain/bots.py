"""Bots: people who are programs. How they are made, and which of them a message calls."""

import re
from collections.abc import Sequence

from campfire.domain import ids
from campfire.domain.accounts import open_rooms_joined, require_administrator
from campfire.domain.directory import Directory
from campfire.domain.errors import UserNotFound, ValidationFailed
from campfire.domain.events import (
    BotCalled,
    BotCommand,
    BotCommandsSet,
    BotKeySet,
    BotWebhookSet,
    MessagePosted,
    NewEvent,
    UserCreated,
)
from campfire.domain.names import clean_name
from campfire.domain.people import decide_change_profile, decide_deactivate
from campfire.domain.sounds import COMMAND as SOUND_COMMAND
from campfire.domain.states import RoomState, UserState
from campfire.domain.web_addresses import require_usable_url

MOST_COMMANDS = 50
"""Of one bot."""
MAX_DESCRIPTION = 200

_COMMAND_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_COMMAND = re.compile(rf"/({_COMMAND_NAME.pattern})(?=\s|$)")


def decide_create_bot(
    directory: Directory,
    *,
    bot_id: str,
    name: str,
    token_hash: str,
    sealed_token: str,
    webhook_url: str | None,
    actor_id: str,
    at: int,
) -> list[NewEvent]:
    """Make a bot, which becomes a member of every open room. Administrators may.

    Raises `PermissionDenied`, `ValidationFailed`.
    """
    require_administrator(directory, actor_id)
    if webhook_url is not None:
        require_usable_url(webhook_url, "webhook_url")
    created = UserCreated(at=at, user_id=bot_id, name=clean_name(name, "name"), role="bot", can_sign_in=False)
    key = BotKeySet(at=at, bot_id=bot_id, by=actor_id, token_hash=token_hash, sealed_token=sealed_token)
    called_at = BotWebhookSet(at=at, bot_id=bot_id, by=actor_id, url=webhook_url)
    return [
        NewEvent(bot_id, 1, created),
        NewEvent(bot_id, 2, key),
        NewEvent(bot_id, 3, called_at),
        *open_rooms_joined(directory, bot_id, at),
    ]


def decide_rotate_bot_key(
    directory: Directory, *, bot_id: str, token_hash: str, sealed_token: str, actor_id: str, at: int
) -> list[NewEvent]:
    """Give a bot another key; the old one is worth nothing at once. Raises `PermissionDenied`, `UserNotFound`."""
    bot = administered_bot(directory, bot_id, actor_id)
    key = BotKeySet(at=at, bot_id=bot_id, by=actor_id, token_hash=token_hash, sealed_token=sealed_token)
    return [NewEvent(bot_id, bot.version + 1, key)]


def decide_set_bot_webhook(
    directory: Directory, *, bot_id: str, url: str | None, actor_id: str, at: int
) -> list[NewEvent]:
    """Call a bot there, or nowhere for None. Raises `PermissionDenied`, `UserNotFound`, `ValidationFailed`."""
    bot = administered_bot(directory, bot_id, actor_id)
    if url is not None:
        require_usable_url(url, "webhook_url")
    if url == directory.bots[bot_id].webhook_url:
        return []
    return [NewEvent(bot_id, bot.version + 1, BotWebhookSet(at=at, bot_id=bot_id, by=actor_id, url=url))]


def decide_change_bot(
    directory: Directory,
    *,
    bot_id: str,
    name: str | None,
    bio: str | None,
    webhook_url: str | None,
    sets_webhook: bool,
    actor_id: str,
    at: int,
) -> list[NewEvent]:
    """Change how a bot is shown, and with `sets_webhook` where it is called; a name or bio that is None stays.

    Raises as `decide_set_bot_webhook`.
    """
    administered_bot(directory, bot_id, actor_id)
    shown = decide_change_profile(directory, user_id=bot_id, name=name, bio=bio, actor_id=actor_id, at=at)
    if not sets_webhook:
        return shown
    called_at = decide_set_bot_webhook(directory, bot_id=bot_id, url=webhook_url, actor_id=actor_id, at=at)
    version = directory.user(bot_id).version
    return [NewEvent(bot_id, version + number, each.event) for number, each in enumerate([*shown, *called_at], 1)]


def decide_deactivate_bot(directory: Directory, *, bot_id: str, actor_id: str, at: int) -> list[NewEvent]:
    """Take a bot out of its rooms, and its key for good; what it said stays. Raises as `decide_rotate_bot_key`."""
    administered_bot(directory, bot_id, actor_id)
    return decide_deactivate(directory, user_id=bot_id, actor_id=actor_id, at=at)


def decide_set_bot_commands(
    directory: Directory, *, bot_id: str, commands: Sequence[BotCommand], actor_id: str, at: int
) -> list[NewEvent]:
    """Let a bot answer to these slash commands; itself may say so, and administrators.

    Raises `PermissionDenied`, `UserNotFound`, `ValidationFailed` for a name that cannot be or that another bot has.
    """
    bot = _bot(directory, bot_id) if actor_id == bot_id else administered_bot(directory, bot_id, actor_id)
    _require_usable_commands(directory, bot_id, commands)
    if tuple(commands) == directory.bots[bot_id].commands:
        return []
    changed = BotCommandsSet(at=at, bot_id=bot_id, by=actor_id, commands=tuple(commands))
    return [NewEvent(bot_id, bot.version + 1, changed)]


def administered_bot(directory: Directory, bot_id: str, actor_id: str) -> UserState:
    """The bot, for an administrator. Raises `PermissionDenied`, `UserNotFound`."""
    require_administrator(directory, actor_id)
    return _bot(directory, bot_id)


def calls_of(directory: Directory, room: RoomState, posted: MessagePosted) -> list[NewEvent]:
    """The calling of every bot that a new message is meant for: mentioned, written to directly, or commanded.

    A bot is called only in rooms that it is a member of, and never by itself.
    """
    if not directory.bots:
        return []
    command = command_of(posted.body)
    mentioned = {mention.user_id for mention in posted.mentions}
    calls: list[NewEvent] = []
    for bot_id in sorted(room.members & directory.bots.keys() - {posted.author_id}):
        if not directory.users[bot_id].active:
            continue
        is_commanded = command is not None and any(each.name == command for each in directory.bots[bot_id].commands)
        if is_commanded or bot_id in mentioned or room.kind == "direct":
            called = _called(directory, bot_id, room, posted, command if is_commanded else None)
            calls.append(NewEvent(ids.bot_call_stream(bot_id, posted.message_id), 1, called))
    return calls


def command_of(body: str) -> str | None:
    """The name of the slash command that a message begins with, if it does."""
    found = _COMMAND.match(body) if body.startswith("/") else None
    return found[1] if found else None


def _called(
    directory: Directory, bot_id: str, room: RoomState, posted: MessagePosted, command: str | None
) -> BotCalled:
    author = directory.users[posted.author_id]
    return BotCalled(
        at=posted.at,
        bot_id=bot_id,
        message_id=posted.message_id,
        room_id=room.id,
        room_number=room.position,
        room_name=room.name,
        user_id=author.id,
        user_number=author.position,
        user_name=author.name,
        command=command,
        hops=posted.hops,
    )


def _bot(directory: Directory, bot_id: str) -> UserState:
    user = directory.user(bot_id)
    if bot_id not in directory.bots or not user.active:
        raise UserNotFound("There is no bot with this id.")
    return user


def _require_usable_commands(directory: Directory, bot_id: str, commands: Sequence[BotCommand]) -> None:
    names = [command.name for command in commands]
    if len(names) > MOST_COMMANDS or len(set(names)) < len(names):
        raise _refused(f"must be at most {MOST_COMMANDS}, each once")
    others = (bot for bot in directory.bots.values() if bot.user_id != bot_id and directory.users[bot.user_id].active)
    taken = {each.name for bot in others for each in bot.commands}
    for command in commands:
        if not _COMMAND_NAME.fullmatch(command.name):
            raise _refused("must be named by 1 to 32 letters a to z, digits, _ and -")
        if command.name == SOUND_COMMAND or command.name in taken:
            raise _refused(f"cannot hold {command.name}, which is taken")
        if len(command.description) > MAX_DESCRIPTION or not command.description.isprintable():
            raise _refused(f"must be described by one line of at most {MAX_DESCRIPTION} characters")


def _refused(message: str) -> ValidationFailed:
    return ValidationFailed(f"commands {message}.", errors=[{"field": "commands", "message": message}])
