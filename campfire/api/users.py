"""People."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated
from campfire.api.keys import ENGINE
from campfire.api.routes import Route, answer, list_answer
from campfire.api.views import me_view, user_view


async def read_me(request: web.Request) -> web.Response:
    actor = authenticated(request)
    return answer(me_view(request.app[ENGINE].directory.users[actor.user_id], actor.session_id))


async def list_users(request: web.Request) -> web.Response:
    authenticated(request)
    users = sorted(request.app[ENGINE].directory.users.values(), key=lambda user: (user.name.casefold(), user.id))
    return await list_answer("users", users, user_view)


async def read_user(request: web.Request) -> web.Response:
    authenticated(request)
    return answer(user_view(request.app[ENGINE].directory.user(request.match_info["user_id"])))


ROUTES = (
    Route("GET", "/api/v1/me", read_me, "Who I am", {200: schemas.Me}),
    Route("GET", "/api/v1/users", list_users, "Everybody, by name", {200: schemas.Users}),
    Route("GET", "/api/v1/users/{user_id}", read_user, "One person", {200: schemas.User}, errors=("USER_NOT_FOUND",)),
)
