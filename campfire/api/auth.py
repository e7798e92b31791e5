"""Who is asking: a bearer token or the session cookie, looked up in memory."""

from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from campfire.api.keys import ENGINE
from campfire.domain.accounts import NewSession
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.tokens import new_token, token_hash

COOKIE = "campfire_session"
_DAY_MS = 86_400_000


class Actor(msgspec.Struct, frozen=True):
    """Who a request speaks for."""

    user_id: str
    session_id: str
    is_administrator: bool


def authenticated(request: web.Request) -> Actor:
    """The person behind a request. Raises `AUTHENTICATION_REQUIRED`, `SESSION_EXPIRED`."""
    token = presented_token(request)
    if not token:
        raise CampfireError("AUTHENTICATION_REQUIRED")
    engine = request.app[ENGINE]
    session = engine.directory.session_by_token_hash(token_hash(token))
    if session is None or session.expires_at <= engine.clock.now_ms():
        raise CampfireError("SESSION_EXPIRED")
    user = engine.directory.users[session.user_id]
    if not user.active:  # the sign-in was decided before the ban, and recorded after it
        raise CampfireError("SESSION_EXPIRED")
    return Actor(user.id, session.id, user.role == "administrator")


def presented_token(request: web.Request) -> str | None:
    """The token of the Authorization header (RFC 6750), else of the cookie."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.cookies.get(COOKIE) if "Cookie" in request.headers else None


def require_same_origin(request: web.Request) -> None:
    """Refuse what another site's page sent with our cookie. Raises `ORIGIN_NOT_ALLOWED`.

    A bearer token is not sent by itself, so requests with one are let through.
    """
    origin = request.headers.get("Origin")
    if origin is None or "Authorization" in request.headers:
        return
    try:
        host = urlsplit(origin).netloc
    except ValueError:  # not an origin at all, so certainly not ours
        host = ""
    if host != request.host:
        raise CampfireError("ORIGIN_NOT_ALLOWED")


def new_session(engine: Engine, request: web.Request) -> tuple[str, NewSession]:
    """Draw a token and describe the session that will carry its hash. Raises `TOKEN_GENERATION_FAILED`."""
    try:
        token = new_token()
    except OSError as error:
        raise CampfireError("TOKEN_GENERATION_FAILED", retry_after=1) from error
    session = NewSession(
        session_id=engine.new_id(),
        token_hash=token_hash(token),
        expires_at=engine.clock.now_ms() + engine.settings.session_days * _DAY_MS,
        user_agent=printable(request.headers.get("User-Agent", "")),
        address=request.remote or "",
    )
    return token, session


def with_cookie(response: web.Response, request: web.Request, token: str) -> web.Response:
    """Set the session cookie: out of reach of scripts and of other sites' forms."""
    days = request.app[ENGINE].settings.session_days
    response.set_cookie(
        COOKIE, token, max_age=days * 86_400, httponly=True, samesite="Lax", secure=request.secure, path="/"
    )
    return response


def printable(text: str) -> str:
    """Header text as it may be kept: undecodable bytes replaced."""
    return text.encode(errors="replace").decode()
