"""Bots: made and looked after by administrators; their commands, for everybody."""

import msgspec
from aiohttp import web
from msgspec import UNSET

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.blocked_addresses import refuse_blocked_address
from campfire.api.keys import ENGINE
from campfire.api.routes import Route, answer, body_of, no_content
from campfire.api.views import avatar_url
from campfire.domain.accounts import require_administrator
from campfire.domain.bots import (
    decide_change_bot,
    decide_create_bot,
    decide_deactivate_bot,
    decide_rotate_bot_key,
    decide_set_bot_commands,
)
from campfire.domain.directory import Directory
from campfire.domain.errors import UserNotFound
from campfire.domain.events import BotCommand, NewEvent
from campfire.domain.states import BotState
from campfire.engine import Engine
from campfire.iso_times import iso_from_ms
from campfire.tokens import new_code, token_hash


async def create_bot(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.CreateBot)
    bot_id, token = engine.new_id(), new_code()
    sealed = engine.sealer.seal(token)

    def decide() -> list[NewEvent]:
        events = decide_create_bot(
            engine.directory,
            bot_id=bot_id,
            name=wanted.name,
            token_hash=token_hash(token),
            sealed_token=sealed,
            webhook_url=wanted.webhook_url,
            actor_id=actor.user_id,
            at=engine.clock.now_ms(),
        )
        _refuse_blocked(engine, wanted.webhook_url)
        return events

    await engine.perform(decide)
    shown = _view(engine.directory, engine.directory.bots[bot_id])
    key = _key(engine.directory, bot_id, token)
    return answer(schemas.BotWithKey(**msgspec.structs.asdict(shown), key=key), 201)


async def list_bots(request: web.Request) -> web.Response:
    actor = authenticated(request)
    directory = request.app[ENGINE].directory
    require_administrator(directory, actor.user_id)
    there = [bot for bot in directory.bots.values() if directory.users[bot.user_id].status != "removed"]
    views = [_view(directory, bot) for bot in there]
    return answer(schemas.Bots(bots=sorted(views, key=lambda bot: (bot.name.casefold(), bot.number))))


async def read_bot(request: web.Request) -> web.Response:
    actor = authenticated(request)
    directory = request.app[ENGINE].directory
    require_administrator(directory, actor.user_id)
    bot = directory.bots.get(request.match_info["bot_id"])
    if bot is None or directory.users[bot.user_id].status == "removed":
        raise UserNotFound("There is no bot with this id.")
    return answer(_view(directory, bot))


async def change_bot(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.ChangeBot)
    url = None if wanted.webhook_url is UNSET else wanted.webhook_url

    def decide() -> list[NewEvent]:
        events = decide_change_bot(
            engine.directory,
            bot_id=request.match_info["bot_id"],
            name=wanted.name,
            bio=wanted.bio,
            webhook_url=url,
            sets_webhook=wanted.webhook_url is not UNSET,
            actor_id=actor.user_id,
            at=engine.clock.now_ms(),
        )
        _refuse_blocked(engine, url)
        return events

    await engine.perform(decide)
    return await read_bot(request)


async def deactivate_bot(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    await engine.perform(
        lambda: decide_deactivate_bot(
            engine.directory, bot_id=request.match_info["bot_id"], actor_id=actor.user_id, at=engine.clock.now_ms()
        )
    )
    return no_content()


async def rotate_bot_key(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    bot_id, token = request.match_info["bot_id"], new_code()
    sealed = engine.sealer.seal(token)
    await engine.perform(
        lambda: decide_rotate_bot_key(
            engine.directory,
            bot_id=bot_id,
            token_hash=token_hash(token),
            sealed_token=sealed,
            actor_id=actor.user_id,
            at=engine.clock.now_ms(),
        )
    )
    return answer(schemas.BotKey(id=bot_id, key=_key(engine.directory, bot_id, token)))


async def set_bot_commands(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.SetCommands)
    bot_id = request.match_info["bot_id"]
    commands = [BotCommand(each.name, each.description) for each in wanted.commands]
    await engine.perform(
        lambda: decide_set_bot_commands(
            engine.directory, bot_id=bot_id, commands=commands, actor_id=actor.user_id, at=engine.clock.now_ms()
        )
    )
    return answer(schemas.BotCommands(commands=_commands(engine.directory.bots[bot_id])))


async def list_commands(request: web.Request) -> web.Response:
    authenticated(request)
    directory = request.app[ENGINE].directory
    active = [bot for bot in directory.bots.values() if directory.users[bot.user_id].active]
    offered = [
        schemas.OfferedCommand(
            name=command.name,
            description=command.description,
            bot=schemas.Author(id=bot.user_id, name=directory.users[bot.user_id].name),
        )
        for bot in active
        for command in bot.commands
    ]
    return answer(schemas.Commands(commands=sorted(offered, key=lambda command: command.name)))


def _refuse_blocked(engine: Engine, url: str | None) -> None:
    if url is not None:
        refuse_blocked_address(engine.settings, url)


def _key(directory: Directory, bot_id: str, token: str) -> str:
    return f"{directory.users[bot_id].position}-{token}"


def _view(directory: Directory, bot: BotState) -> schemas.Bot:
    user = directory.users[bot.user_id]
    return schemas.Bot(
        id=user.id,
        number=user.position,
        name=user.name,
        bio=user.bio,
        status=user.status,
        avatar_url=avatar_url(user),
        created_at=iso_from_ms(user.created_at),
        webhook_url=bot.webhook_url,
        commands=_commands(bot),
        has_key=bot.token_hash is not None,
    )


def _commands(bot: BotState) -> list[schemas.Command]:
    return [schemas.Command(name=each.name, description=each.description) for each in bot.commands]


_BOT = "/api/v1/bots/{bot_id}"
_ERRORS = ("PERMISSION_DENIED", "USER_NOT_FOUND")

ROUTES = (
    Route(
        "POST",
        "/api/v1/bots",
        create_bot,
        "Make a bot, which is in every open room; its key is shown this once; administrators may",
        {201: schemas.BotWithKey},
        body=schemas.CreateBot,
        errors=("PERMISSION_DENIED", "ADDRESS_BLOCKED"),
    ),
    Route(
        "GET",
        "/api/v1/bots",
        list_bots,
        "All bots, by name; for administrators",
        {200: schemas.Bots},
        errors=("PERMISSION_DENIED",),
    ),
    Route("GET", _BOT, read_bot, "One bot; for administrators", {200: schemas.Bot}, errors=_ERRORS),
    Route(
        "PATCH",
        _BOT,
        change_bot,
        "Change how a bot is shown and where it is called; administrators may",
        {200: schemas.Bot},
        body=schemas.ChangeBot,
        errors=(*_ERRORS, "ADDRESS_BLOCKED"),
    ),
    Route(
        "DELETE",
        _BOT,
        deactivate_bot,
        "Take a bot out of its rooms and its key away; what it said stays; administrators may",
        {204: None},
        errors=_ERRORS,
    ),
    Route(
        "POST",
        f"{_BOT}/key",
        rotate_bot_key,
        "Give a bot another key, shown this once; the old one lets nobody in from now on; administrators may",
        {200: schemas.BotKey},
        errors=_ERRORS,
    ),
    Route(
        "PUT",
        f"{_BOT}/commands",
        set_bot_commands,
        "Say which slash commands a bot answers to; itself may, and administrators",
        {200: schemas.BotCommands},
        body=schemas.SetCommands,
        errors=_ERRORS,
    ),
    Route("GET", "/api/v1/commands", list_commands, "The slash commands of all bots", {200: schemas.Commands}),
)
