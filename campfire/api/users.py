"""People, and what administrators do about them."""

from collections.abc import Callable

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import Actor, authenticated
from campfire.api.keys import ENGINE, REMOVER
from campfire.api.routes import Query, Route, answer, body_of, list_answer, no_content
from campfire.api.views import user_view
from campfire.domain.directory import Directory
from campfire.domain.errors import ValidationFailed
from campfire.domain.events import NewEvent
from campfire.domain.people import decide_ban, decide_change_role, decide_deactivate, decide_reactivate, decide_remove
from campfire.engine import Engine

Decision = Callable[[Directory, str, str, int], list[NewEvent]]
"""Decides about a user (the second argument), for an actor, at a time."""


async def list_users(request: web.Request) -> web.Response:
    authenticated(request)
    users = sorted(request.app[ENGINE].directory.users.values(), key=lambda user: (user.name.casefold(), user.id))
    return await list_answer("users", [user for user in users if user.status != "removed"], user_view)


async def read_user(request: web.Request) -> web.Response:
    authenticated(request)
    return answer(user_view(request.app[ENGINE].directory.user(request.match_info["user_id"])))


async def change_role(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.ChangeRole)
    user_id = request.match_info["user_id"]
    await engine.perform_alone(
        lambda: decide_change_role(
            engine.directory, user_id=user_id, role=wanted.role, actor_id=actor.user_id, at=engine.clock.now_ms()
        )
    )
    return answer(user_view(engine.directory.user(user_id)))


async def end_user(request: web.Request) -> web.Response:
    actor = authenticated(request)
    messages = request.query.get("messages", "keep")
    if messages not in ("keep", "remove"):
        detail = "messages must be keep or remove."
        raise ValidationFailed(detail, errors=[{"field": "messages", "message": detail}])
    decide = decide_deactivate if messages == "keep" else decide_remove
    await _perform(request, actor, decide)
    request.app[REMOVER].look_soon()
    return no_content()


async def ban_user(request: web.Request) -> web.Response:
    await _perform(request, authenticated(request), decide_ban)
    request.app[REMOVER].look_soon()
    return no_content()


async def reactivate_user(request: web.Request) -> web.Response:
    await _perform(request, authenticated(request), decide_reactivate)
    return no_content()


async def _perform(request: web.Request, actor: Actor, decide: Callable[..., list[NewEvent]]) -> None:
    engine: Engine = request.app[ENGINE]
    user_id = request.match_info["user_id"]
    await engine.perform_alone(
        lambda: decide(engine.directory, user_id=user_id, actor_id=actor.user_id, at=engine.clock.now_ms())
    )


_USER = "/api/v1/users/{user_id}"
_ERRORS = ("USER_NOT_FOUND", "PERMISSION_DENIED", "VALIDATION_FAILED")

ROUTES = (
    Route("GET", "/api/v1/users", list_users, "Everybody, by name", {200: schemas.Users}),
    Route("GET", _USER, read_user, "One person", {200: schemas.User}, errors=("USER_NOT_FOUND",)),
    Route(
        "PATCH",
        _USER,
        change_role,
        "Let somebody administer, or no longer; administrators may",
        {200: schemas.User},
        body=schemas.ChangeRole,
        errors=_ERRORS,
    ),
    Route(
        "DELETE",
        _USER,
        end_user,
        "Deactivate somebody, or remove them with what they said; oneself, or administrators",
        {204: None},
        queries=(Query("messages", {"type": "string", "enum": ["keep", "remove"]}, "what becomes of what they said"),),
        errors=_ERRORS,
    ),
    Route(
        "PUT",
        f"{_USER}/ban",
        ban_user,
        "End somebody's sessions, close their addresses, remove what they said; administrators may",
        {204: None},
        errors=_ERRORS,
    ),
    Route(
        "PUT",
        f"{_USER}/active",
        reactivate_user,
        "Lift a ban, or let somebody come back who was deactivated; administrators may",
        {204: None},
        errors=(*_ERRORS, "EMAIL_TAKEN"),
    ),
)
