"""Links to messages: `/rooms/ROOM/@MESSAGE`, by the short numbers of both."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.keys import ENGINE
from campfire.api.message_views import message_view
from campfire.api.routes import Route, answer
from campfire.domain.errors import MessageNotFound, RoomNotFound
from projections.queries import messages

_MOST_DIGITS = 18


async def follow_link(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    room_number, message_number = (_number(request.match_info[name]) for name in ("room_number", "message_number"))
    room = engine.directory.room_numbered(room_number)
    if not engine.directory.is_member(room.id, actor.user_id):
        # Numbers can be counted through: nothing must tell which of them are rooms.
        raise RoomNotFound("The link leads nowhere.")
    row = await messages.at_position(engine.read_models, message_number)
    if row is None or row.deleted_at is not None or row.room_id != room.id:
        raise MessageNotFound("The link leads to no message; it may have been deleted.")
    return answer(await message_view(engine.read_models, row, actor.user_id))


def _number(text: str) -> int:
    """Raises `RoomNotFound` for what is no number; nothing has it then."""
    # A length cap first: turning a very long run of digits into a number is itself an attack.
    if not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS:
        raise RoomNotFound("The link leads nowhere.")
    return int(text)


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
