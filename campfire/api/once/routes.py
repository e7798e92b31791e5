"""`/rooms/ROOM/KEY/messages` and what is below it."""

from collections.abc import Sequence

import msgspec
from aiohttp import web

from campfire.api.auth import bot_by_key
from campfire.api.boosts import give_boost, take_boost_back
from campfire.api.hops import hops_of
from campfire.api.keys import ENGINE
from campfire.api.message_views import boost_view, message_view, message_views
from campfire.api.messages import change_message
from campfire.api.once.shapes import boost_shape, message_shape, origin_of
from campfire.api.posting import post_message
from campfire.api.routes import answer, no_content, raw_body
from campfire.api.short_numbers import numbered_room, short_number
from campfire.api.uploads import Form, receive_form
from campfire.domain.errors import MessageNotFound, PermissionDenied, ValidationFailed
from campfire.domain.messages import decide_delete, decide_edit
from campfire.domain.states import RoomState
from campfire.domain.uploads import upload_finished
from campfire.errors import CampfireError
from projections.queries import messages
from projections.queries.details import boost_at
from projections.queries.messages import MessageRow

PAGE = 40
_TEXT_PARTS = ("body", "message[body]")


async def list_messages(request: web.Request) -> web.Response:
    """A page, oldest first: the last one, or the one that ends or begins at a message."""
    bot_id, room = _caller(request)
    read_models = request.app[ENGINE].read_models
    if "before" in request.query:
        rows = await messages.before(read_models, await _place(request, room, request.query["before"]), PAGE + 1)
    elif "after" in request.query:
        rows = await messages.after(read_models, await _place(request, room, request.query["after"]), PAGE + 1)
    else:
        rows = await messages.latest(read_models, room.id, PAGE + 1)
    goes_forward = "after" in request.query and "before" not in request.query
    page = rows[:PAGE] if goes_forward else rows[-PAGE:]
    shapes = [message_shape(request, room, each) for each in await message_views(read_models, page, bot_id)]
    headers = {"X-Total-Count": str(await messages.count(read_models, room.id))}
    if len(rows) > PAGE:
        headers["Link"] = _next_page(request, page, goes_forward=goes_forward)
    return web.Response(body=msgspec.json.encode(shapes), content_type="application/json", headers=headers)


async def post(request: web.Request) -> web.Response:
    """The body is the text, whatever type it says it is of; or a form with a file, and a text beside it."""
    bot_id, room = _caller(request)
    engine, hops = request.app[ENGINE], hops_of(request)
    if request.content_type == "multipart/form-data":
        form = await receive_form(request, "attachment", _TEXT_PARTS)
    else:
        form = Form(None, await _text(request))
    if form.attachment is not None:
        await engine.append([upload_finished(form.attachment, user_id=bot_id, at=engine.clock.now_ms())])
    posted = await post_message(
        engine,
        bot_id,
        room_id=room.id,
        body=form.text,
        client_message_id=None,
        overflow="truncate",  # there, a text may have any length
        uploads=[] if form.attachment is None else [form.attachment.id],
        hops=hops,
    )
    location = f"{origin_of(request)}/messages/{posted.position}"
    return web.Response(status=201, headers={"Location": location})


async def edit(request: web.Request) -> web.Response:
    bot_id, room = _caller(request)
    engine = request.app[ENGINE]
    row = await _message(request, room)
    text, hops = await _text(request), hops_of(request)
    await change_message(
        engine,
        row.id,
        lambda message: decide_edit(
            engine.directory, message, actor_id=bot_id, body=text, truncate=True, hops=hops, at=engine.clock.now_ms()
        ),
    )
    row = await _message(request, room)
    return answer(message_shape(request, room, await message_view(engine.read_models, row, bot_id)))


async def delete(request: web.Request) -> web.Response:
    bot_id, room = _caller(request)
    engine = request.app[ENGINE]
    row = await _message(request, room)
    await change_message(
        engine,
        row.id,
        lambda message: decide_delete(engine.directory, message, actor_id=bot_id, at=engine.clock.now_ms()),
    )
    return no_content()


async def add_boost(request: web.Request) -> web.Response:
    bot_id, room = _caller(request)
    row = await _message(request, room)
    content, hops = await _text(request), hops_of(request)
    boost, position = await give_boost(request.app[ENGINE], row.id, content, bot_id, hops=hops)
    shown = boost_shape(request, room, message_number=row.position, number=position, boost=boost_view(boost))
    return answer(shown, 201)


async def remove_boost(request: web.Request) -> web.Response:
    bot_id, room = _caller(request)
    engine = request.app[ENGINE]
    row = await _message(request, room)
    boost = await boost_at(engine.read_models, short_number(request.match_info["boost_number"]))
    await take_boost_back(engine, boost, row.id, bot_id)
    return no_content()


async def refuse(request: web.Request) -> web.Response:
    """Everything else that a key might be tried on. Raises `PermissionDenied`."""
    _bot(request)
    raise PermissionDenied("With a bot's key in the address only messages and boosts can be reached.")


def add_routes(router: web.UrlDispatcher) -> None:
    """Put the API into the application."""
    key = "/rooms/{room_number}/{bot_key:[0-9]+-[A-Za-z0-9]+}"
    message = f"{key}/messages/{{message_number}}"
    router.add_route("GET", f"{key}/messages", list_messages)
    router.add_route("POST", f"{key}/messages", post)
    router.add_route("PATCH", message, edit)
    router.add_route("PUT", message, edit)
    router.add_route("DELETE", message, delete)
    router.add_route("POST", f"{message}/boosts", add_boost)
    router.add_route("DELETE", f"{message}/boosts/{{boost_number}}", remove_boost)
    router.add_route("*", key, refuse)
    router.add_route("*", f"{key}/{{rest:.*}}", refuse)


def _caller(request: web.Request) -> tuple[str, RoomState]:
    """The bot, and the room that it is a member of. Raises `AUTHENTICATION_REQUIRED`, `RoomNotFound`."""
    bot_id = _bot(request)
    return bot_id, numbered_room(request.app[ENGINE].directory, request.match_info["room_number"], bot_id)


def _bot(request: web.Request) -> str:
    bot = bot_by_key(request.app[ENGINE].directory, request.match_info["bot_key"])
    if bot is None:
        raise CampfireError("AUTHENTICATION_REQUIRED", "This is no bot's key, or not any more.")
    return bot.user_id


async def _message(request: web.Request, room: RoomState) -> MessageRow:
    """The message in the address, as it stands in this room. Raises `MessageNotFound`, also for a deleted one."""
    row = await _place(request, room, request.match_info["message_number"])
    if row.deleted_at is not None:
        raise _no_such_message()
    return row


async def _place(request: web.Request, room: RoomState, number: str) -> MessageRow:
    """The place in the room's history to go on from, also that of a deleted message. Raises `MessageNotFound`."""
    row = await messages.at_position(request.app[ENGINE].read_models, short_number(number))
    if row is None or row.room_id != room.id:
        raise _no_such_message()
    return row


def _no_such_message() -> MessageNotFound:
    return MessageNotFound("There is no such message in this room.")


async def _text(request: web.Request) -> str:
    try:
        return (await raw_body(request)).decode()
    except UnicodeDecodeError as error:
        raise ValidationFailed(
            "The body must be text in UTF-8.", errors=[{"field": "body", "message": "is not UTF-8"}]
        ) from error


def _next_page(request: web.Request, page: Sequence[MessageRow], *, goes_forward: bool) -> str:
    """RFC 8288: where to go on in the same direction; back through history unless `after` was asked for."""
    onwards = f"after={page[-1].position}" if goes_forward else f"before={page[0].position}"
    return f'<{origin_of(request)}{request.path}?{onwards}>; rel="next"'
