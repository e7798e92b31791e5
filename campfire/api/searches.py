"""The searches that I want to find again."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.keys import ENGINE
from campfire.api.routes import Route, answer, body_of, no_content
from campfire.domain.searches import decide_forget, decide_remember
from projections.queries.searches import remembered


async def list_searches(request: web.Request) -> web.Response:
    actor = authenticated(request)
    return answer(schemas.Searches(searches=await remembered(request.app[ENGINE].read_models, actor.user_id)))


async def remember_search(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.RememberSearch)
    await engine.perform(lambda: decide_remember(actor.user_id, wanted.text, at=engine.clock.now_ms()))
    return no_content()


async def forget_searches(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    await engine.perform(lambda: decide_forget(actor.user_id, at=engine.clock.now_ms()))
    return no_content()


_MINE = "/api/v1/searches"

ROUTES = (
    Route("GET", _MINE, list_searches, "My last ten searches, the last first", {200: schemas.Searches}),
    Route("POST", _MINE, remember_search, "Remember a search", {204: None}, body=schemas.RememberSearch),
    Route("DELETE", _MINE, forget_searches, "Forget my searches", {204: None}),
)
