"""Links to messages: `/rooms/ROOM/@MESSAGE`, by the short numbers of both."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.keys import ENGINE
from campfire.api.message_views import message_view
from campfire.api.routes import Route, answer
from campfire.api.short_numbers import numbered_room, short_number
from campfire.domain.errors import MessageNotFound
from projections.queries import messages


async def follow_link(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    room = numbered_room(engine.directory, request.match_info["room_number"], actor.user_id)
    row = await messages.at_position(engine.read_models, short_number(request.match_info["message_number"]))
    if row is None or row.deleted_at is not None or row.room_id != room.id:
        raise MessageNotFound("The link leads to no message; it may have been deleted.")
    return answer(await message_view(engine.read_models, row, actor.user_id))


ROUTES = (
    Route(
        "GET",
        "/api/v1/links/{room_number}/{message_number}",
        follow_link,
        "The message that the link /rooms/ROOM/@MESSAGE leads to",
        {200: schemas.Message},
        errors=("ROOM_NOT_FOUND", "MESSAGE_NOT_FOUND"),
    ),
)
