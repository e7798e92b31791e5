"""One's own name, address and password."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import Actor, authenticated, authenticated_person
from campfire.api.keys import ENGINE, PASSWORDS, SIGN_IN_LIMITER
from campfire.api.routes import Route, answer, body_of, no_content
from campfire.api.views import me_view
from campfire.domain.errors import InvalidCredentials
from campfire.domain.people import decide_change_email, decide_change_profile, decide_set_password


async def read_me(request: web.Request) -> web.Response:
    actor = authenticated(request)
    return answer(me_view(request.app[ENGINE].directory.users[actor.user_id], actor.session_id))


async def change_me(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.ChangeProfile)
    await engine.perform(
        lambda: decide_change_profile(
            engine.directory,
            user_id=actor.user_id,
            name=wanted.name,
            bio=wanted.bio,
            actor_id=actor.user_id,
            at=engine.clock.now_ms(),
        )
    )
    return await read_me(request)


async def change_email(request: web.Request) -> web.Response:
    actor = authenticated_person(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.ChangeEmail)
    await _require_password(request, actor, wanted.password)
    await engine.perform(
        lambda: decide_change_email(
            engine.directory, user_id=actor.user_id, email=wanted.email, at=engine.clock.now_ms()
        )
    )
    return await read_me(request)


async def change_password(request: web.Request) -> web.Response:
    actor = authenticated_person(request)
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.ChangePassword)
    await _require_password(request, actor, wanted.current)
    password_hash = await request.app[PASSWORDS].hash(wanted.new)
    await engine.perform(
        lambda: decide_set_password(
            engine.directory,
            user_id=actor.user_id,
            password_hash=password_hash,
            keep_session_id=actor.session_id,
            at=engine.clock.now_ms(),
        )
    )
    return no_content()


async def _require_password(request: web.Request, actor: Actor, password: str) -> None:
    """A session alone is not enough to take somebody's account over. Raises `InvalidCredentials`."""
    request.app[SIGN_IN_LIMITER].take(f"{request.remote} {actor.user_id}")
    user = request.app[ENGINE].directory.users[actor.user_id]
    if not await request.app[PASSWORDS].verify(user.password_hash, password):
        raise InvalidCredentials("The present password is wrong.")


ROUTES = (
    Route("GET", "/api/v1/me", read_me, "Who I am", {200: schemas.Me}),
    Route(
        "PATCH",
        "/api/v1/me",
        change_me,
        "Change my name, or what I say of myself",
        {200: schemas.Me},
        body=schemas.ChangeProfile,
    ),
    Route(
        "PUT",
        "/api/v1/me/email",
        change_email,
        "Sign in with another address",
        {200: schemas.Me},
        body=schemas.ChangeEmail,
        errors=("INVALID_CREDENTIALS", "EMAIL_TAKEN"),
    ),
    Route(
        "PUT",
        "/api/v1/me/password",
        change_password,
        "Choose a new password, which ends my other sessions",
        {204: None},
        body=schemas.ChangePassword,
        errors=("INVALID_CREDENTIALS",),
    ),
)
