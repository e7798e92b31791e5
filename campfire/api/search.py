"""Searching what one may read."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.keys import ENGINE
from campfire.api.message_views import message_views
from campfire.api.routes import Query, Route, answer, whole_number
from campfire.domain.rooms import readable_room
from projections.queries.search import search

_PAGE = 50
_LARGEST_PAGE = 100


async def search_messages(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    limit = whole_number(request, "limit", _PAGE, 1, _LARGEST_PAGE)
    room_ids = engine.directory.rooms_of(actor.user_id)
    if "room_id" in request.query:
        room_ids = {readable_room(engine.directory, request.query["room_id"], actor.user_id).id}
    text = request.query.get("q", "").encode(errors="ignore").decode()
    rows = await search(engine.read_models, text, room_ids, limit)
    return answer(schemas.Messages(messages=await message_views(engine.read_models, rows, actor.user_id)))


ROUTES = (
    Route(
        "GET",
        "/api/v1/search",
        search_messages,
        "Search messages, newest first; any text is a valid search",
        {200: schemas.Messages},
        queries=(
            Query("q", {"type": "string"}, 'words, "phrases"; the last word may be a beginning'),
            Query("limit", {"type": "integer", "minimum": 1, "maximum": _LARGEST_PAGE}, "most hits"),
            Query("room_id", {"type": "string"}, "only in this room"),
        ),
        errors=("ROOM_NOT_FOUND", "ROOM_ACCESS_DENIED", "SEARCH_UNAVAILABLE"),
    ),
)
