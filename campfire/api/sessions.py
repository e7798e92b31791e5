"""Signing in and out; which devices are signed in."""

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import COOKIE, authenticated, authenticated_person, new_session, with_cookie
from campfire.api.keys import ENGINE, PASSWORDS, SIGN_IN_LIMITER
from campfire.api.routes import Route, answer, body_of, no_content
from campfire.api.views import me_view
from campfire.domain.accounts import require_administrator
from campfire.domain.directory import email_key
from campfire.domain.errors import InvalidCredentials
from campfire.domain.events import NewEvent
from campfire.domain.sessions import (
    decide_end_other_sessions,
    decide_end_session,
    decide_sign_in,
    links_withdrawn,
    sessions_ended,
)
from campfire.iso_times import iso_from_ms


async def sign_in(request: web.Request) -> web.Response:
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.SignIn)
    request.app[SIGN_IN_LIMITER].take(f"{request.remote} {email_key(wanted.email)}")
    user = engine.directory.user_by_email(wanted.email)
    known = user is not None and user.active and user.can_sign_in
    password_hash = user.password_hash if user is not None and known else None
    if not await request.app[PASSWORDS].verify(password_hash, wanted.password) or user is None:
        raise InvalidCredentials("The e-mail address or password is wrong.")
    token, session = new_session(engine, request)
    user_id = user.id
    await engine.perform(
        lambda: decide_sign_in(
            engine.directory,
            user_id=user_id,
            password_hash=password_hash,
            session=session,
            at=engine.clock.now_ms(),
        )
    )
    signed_in = schemas.SignedIn(token=token, user=me_view(user, session.session_id))
    return with_cookie(answer(signed_in, 201), request, token)


async def list_sessions(request: web.Request) -> web.Response:
    actor = authenticated_person(request)
    sessions = [
        schemas.Session(
            id=session.id,
            created_at=iso_from_ms(session.started_at),
            expires_at=iso_from_ms(session.expires_at),
            user_agent=session.user_agent,
            address=session.address,
            current=session.id == actor.session_id,
        )
        for session in request.app[ENGINE].directory.sessions_of(actor.user_id)
    ]
    return answer(schemas.Sessions(sessions=sessions))


async def sign_out(request: web.Request) -> web.Response:
    actor = authenticated_person(request)
    await _end(request, actor.session_id, actor.user_id, signed_out=True)
    response = no_content()
    response.del_cookie(COOKIE, path="/")
    return response


async def revoke_session(request: web.Request) -> web.Response:
    actor = authenticated_person(request)
    await _end(request, request.match_info["session_id"], actor.user_id, signed_out=False)
    return no_content()


async def revoke_other_sessions(request: web.Request) -> web.Response:
    actor = authenticated_person(request)
    engine = request.app[ENGINE]
    await engine.perform(
        lambda: decide_end_other_sessions(
            engine.directory, user_id=actor.user_id, session_id=actor.session_id, at=engine.clock.now_ms()
        )
    )
    return no_content()


async def end_sessions_of(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    user_id = request.match_info["user_id"]

    def decide() -> list[NewEvent]:
        require_administrator(engine.directory, actor.user_id)
        user = engine.directory.user(user_id)
        at = engine.clock.now_ms()
        ended = sessions_ended(engine.directory, user.id, "revoked", at)
        return [*ended, *links_withdrawn(engine.directory, user.id, at)]

    await engine.perform(decide)
    return no_content()


async def _end(request: web.Request, session_id: str, actor_id: str, *, signed_out: bool) -> None:
    engine = request.app[ENGINE]
    await engine.perform(
        lambda: decide_end_session(
            engine.directory,
            session_id=session_id,
            actor_id=actor_id,
            reason="signed_out" if signed_out else "revoked",
            at=engine.clock.now_ms(),
        )
    )


ROUTES = (
    Route(
        "POST",
        "/api/v1/sessions",
        sign_in,
        "Sign in",
        {201: schemas.SignedIn},
        body=schemas.SignIn,
        signed_in=False,
        errors=("INVALID_CREDENTIALS",),
    ),
    Route("GET", "/api/v1/sessions", list_sessions, "Where I am signed in, newest first", {200: schemas.Sessions}),
    Route("DELETE", "/api/v1/sessions", revoke_other_sessions, "End all my sessions but this one", {204: None}),
    Route(
        "DELETE",
        "/api/v1/users/{user_id}/sessions",
        end_sessions_of,
        "End all sessions of somebody; administrators may",
        {204: None},
        errors=("PERMISSION_DENIED", "USER_NOT_FOUND"),
    ),
    Route("DELETE", "/api/v1/sessions/current", sign_out, "Sign out", {204: None}),
    Route(
        "DELETE",
        "/api/v1/sessions/{session_id}",
        revoke_session,
        "End one of my sessions",
        {204: None},
        errors=("SESSION_NOT_FOUND",),
    ),
)
