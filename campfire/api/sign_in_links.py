"""Links that sign somebody in once: on another device, or to choose a new password."""

import segno
from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import authenticated, authenticated_person, new_session, with_cookie
from campfire.api.keys import ENGINE, PASSWORDS
from campfire.api.routes import Route, answer, body_of
from campfire.api.views import me_view
from campfire.domain.sign_in_links import (
    VALID_MS,
    decide_make_password_reset,
    decide_make_transfer,
    decide_reset_password,
    decide_transfer,
    valid_link,
)
from campfire.iso_times import iso_from_ms
from campfire.people_tool import RESET_PATH, new_link
from campfire.tokens import token_hash

TRANSFER_PATH = "/session/transfer/"


async def make_transfer(request: web.Request) -> web.Response:
    actor = authenticated_person(request)
    engine = request.app[ENGINE]
    token, link = new_link(engine)
    at = engine.clock.now_ms()
    await engine.perform(lambda: decide_make_transfer(engine.directory, link=link, user_id=actor.user_id, at=at))
    return answer(_shown(request, TRANSFER_PATH, token, at + VALID_MS["transfer"]), 201)


async def make_password_reset(request: web.Request) -> web.Response:
    actor = authenticated(request)
    engine = request.app[ENGINE]
    token, link = new_link(engine)
    at = engine.clock.now_ms()
    await engine.perform(
        lambda: decide_make_password_reset(
            engine.directory, link=link, user_id=request.match_info["user_id"], actor_id=actor.user_id, at=at
        )
    )
    return answer(_shown(request, RESET_PATH, token, at + VALID_MS["password_reset"]), 201)


async def use_transfer(request: web.Request) -> web.Response:
    engine = request.app[ENGINE]
    presented = token_hash(request.match_info["token"])
    token, session = new_session(engine, request)
    await engine.perform(
        lambda: decide_transfer(engine.directory, token_hash=presented, session=session, at=engine.clock.now_ms())
    )
    return _signed_in(request, token, session.session_id)


async def use_password_reset(request: web.Request) -> web.Response:
    engine = request.app[ENGINE]
    wanted = await body_of(request, schemas.ResetPassword)
    presented = token_hash(request.match_info["token"])
    # Before the costly hash, so that guessing is cheap to refuse.
    valid_link(engine.directory, presented, "password_reset", engine.clock.now_ms())
    password_hash = await request.app[PASSWORDS].hash(wanted.password)
    token, session = new_session(engine, request)
    await engine.perform(
        lambda: decide_reset_password(
            engine.directory,
            token_hash=presented,
            password_hash=password_hash,
            session=session,
            at=engine.clock.now_ms(),
        )
    )
    return _signed_in(request, token, session.session_id)


def _shown(request: web.Request, path: str, token: str, expires_at: int) -> schemas.SignInLink:
    url = f"{request.scheme}://{request.host}{path}{token}"
    qr = segno.make(url, error="m").svg_inline(scale=4, border=2, dark="#000", light="#fff")
    return schemas.SignInLink(url=url, token=token, qr=qr, expires_at=iso_from_ms(expires_at))


def _signed_in(request: web.Request, token: str, session_id: str) -> web.Response:
    directory = request.app[ENGINE].directory
    user = directory.users[directory.sessions[session_id].user_id]
    return with_cookie(answer(schemas.SignedIn(token=token, user=me_view(user, session_id)), 201), request, token)


ROUTES = (
    Route(
        "POST",
        "/api/v1/me/transfers",
        make_transfer,
        "A link, and the same as a QR code, that signs me in on another device: once, within four hours",
        {201: schemas.SignInLink},
    ),
    Route(
        "POST",
        "/api/v1/transfers/{token}",
        use_transfer,
        "Sign in by such a link",
        {201: schemas.SignedIn},
        signed_in=False,
        errors=("SIGN_IN_LINK_INVALID",),
    ),
    Route(
        "POST",
        "/api/v1/users/{user_id}/password-resets",
        make_password_reset,
        "A link with which somebody chooses a new password: once, within a day; administrators may",
        {201: schemas.SignInLink},
        errors=("PERMISSION_DENIED", "USER_NOT_FOUND", "SIGN_IN_LINK_INVALID"),
    ),
    Route(
        "POST",
        "/api/v1/password-resets/{token}",
        use_password_reset,
        "Choose a new password by such a link, which ends all my sessions, and sign in",
        {201: schemas.SignedIn},
        body=schemas.ResetPassword,
        signed_in=False,
        errors=("SIGN_IN_LINK_INVALID",),
    ),
)
