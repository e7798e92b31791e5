"""Searching what one may read."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.keys import ENGINE
from campfire.api.message_views import message_views
from campfire.api.routes import Query, Route, answer, whole_number
from campfire.domain.rooms import readable_room
from campfire.errors import CampfireError
from campfire.iso_times import iso_from_ms
from projections.queries.search import Order, search
from projections.queries.search_scope import Search, understood
from projections.queries.search_text import parse

_PAGE = 50
_LARGEST_PAGE = 100


async def search_messages(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    limit = whole_number(request, "limit", _PAGE, 1, _LARGEST_PAGE)
    order = _order(request)
    room_ids = engine.directory.rooms_of(actor.user_id)
    if "room_id" in request.query:
        room_ids = {readable_room(engine.directory, request.query["room_id"], actor.user_id).id}
    asked = understood(parse(request.query.get("q", "")), engine.directory, actor.user_id, room_ids)
    page = await search(engine.read_models, asked, limit, order=order, cursor=request.query.get("before"))
    rows = [hit.message for hit in page.hits]
    return answer(
        schemas.SearchResults(
            messages=await message_views(engine.read_models, rows, actor.user_id),
            highlights={hit.message.id: hit.highlights for hit in page.hits},
            next=page.next,
            understood=_view(asked),
        )
    )


def _order(request: web.Request) -> Order:
    match request.query.get("order", "newest"):
        case "newest":
            return "newest"
        case "relevance":
            return "relevance"
        case _:
            detail = "order must be newest or relevance."
            raise CampfireError("VALIDATION_FAILED", detail, errors=[{"field": "order", "message": detail}])


def _view(asked: Search) -> schemas.Understood:
    return schemas.Understood(
        words=[term.text for term in asked.terms if term.kind != "phrase"],
        phrases=[term.text for term in asked.terms if term.kind == "phrase"],
        from_=[schemas.Author(id=person.id, name=person.name) for person in asked.senders or ()],
        in_=[schemas.FoundRoom(id=room.id, name=room.name) for room in asked.rooms or ()],
        has=sorted(asked.has),
        after=None if asked.after is None else iso_from_ms(asked.after),
        before=None if asked.before is None else iso_from_ms(asked.before),
    )


ROUTES = (
    Route(
        "GET",
        "/api/v1/search",
        search_messages,
        "Search messages; any text is a valid search",
        {200: schemas.SearchResults},
        queries=(
            Query("q", {"type": "string"}, 'words, "phrases", begin*; from: in: before: after: on: has:'),
            Query("order", {"type": "string", "enum": ["newest", "relevance"]}, "newest first unless told"),
            Query("before", {"type": "string"}, "`next` of the page before"),
            Query("limit", {"type": "integer", "minimum": 1, "maximum": _LARGEST_PAGE}, "most hits"),
            Query("room_id", {"type": "string"}, "only in this room"),
        ),
        errors=("ROOM_NOT_FOUND", "ROOM_ACCESS_DENIED", "SEARCH_UNAVAILABLE"),
    ),
)
