"""Who is asking: a bearer token, the session cookie or a bot's key, looked up in memory."""

import re
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from campfire.api.keys import ENGINE
from campfire.domain.accounts import NewSession
from campfire.domain.directory import Directory
from campfire.domain.errors import PermissionDenied
from campfire.domain.states import BotState
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.tokens import new_token, token_hash

COOKIE = "campfire_session"
_DAY_MS = 86_400_000
_BOT_KEY = re.compile(r"([1-9][0-9]{0,17})-([A-Za-z0-9]{12})")
"""The bot's short number and its token."""


class Actor(msgspec.Struct, frozen=True):
    """Who a request speaks for. A bot has no session; its key stands for one."""

    user_id: str
    session_id: str
    is_administrator: bool
    is_bot: bool = False


def authenticated(request: web.Request) -> Actor:
    """The person or bot behind a request. Raises `AUTHENTICATION_REQUIRED`, `SESSION_EXPIRED`."""
    token = presented_token(request)
    if not token:
        raise CampfireError("AUTHENTICATION_REQUIRED")
    engine = request.app[ENGINE]
    session = engine.directory.session_by_token_hash(token_hash(token))
    if session is None:
        bot = _bot_of(request, token)
        if bot is None:
            raise CampfireError("SESSION_EXPIRED")
        return Actor(bot.user_id, bot.key_id, is_administrator=False, is_bot=True)
    if session.expires_at <= engine.clock.now_ms():
        raise CampfireError("SESSION_EXPIRED")
    user = engine.directory.users[session.user_id]
    if not user.active:  # the sign-in was decided before the ban, and recorded after it
        raise CampfireError("SESSION_EXPIRED")
    return Actor(user.id, session.id, user.role == "administrator")


def authenticated_person(request: web.Request) -> Actor:
    """As `authenticated`, for what only people have. Raises also `PermissionDenied`."""
    actor = authenticated(request)
    if actor.is_bot:
        raise PermissionDenied("A bot has a key, but no e-mail address, password or sessions.")
    return actor


def bot_by_key(directory: Directory, key: str) -> BotState | None:
    """The active bot that has this key."""
    found = _BOT_KEY.fullmatch(key)
    bot = directory.bot_by_token_hash(token_hash(found[2])) if found else None
    if found is None or bot is None:
        return None
    user = directory.users[bot.user_id]
    return bot if user.active and user.position == int(found[1]) else None


def asking_user(request: web.Request) -> str | None:
    """The id of whom a request seems to speak for, to count what they do; nothing is refused here."""
    directory = request.app[ENGINE].directory
    key = request.match_info.get("bot_key")
    if key is not None:
        bot = bot_by_key(directory, key)
        return bot.user_id if bot is not None else None
    token = presented_token(request)
    if not token:
        return None
    found = directory.session_by_token_hash(token_hash(token)) or _bot_of(request, token)
    return found.user_id if found is not None else None


def presented_token(request: web.Request) -> str | None:
    """The token of the Authorization header (RFC 6750), else of the cookie."""
    token = _bearer_token(request)
    if token is not None:
        return token
    return request.cookies.get(COOKIE) if "Cookie" in request.headers else None


def _bearer_token(request: web.Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def require_same_origin(request: web.Request) -> None:
    """Refuse what another site's page sent with our cookie. Raises `ORIGIN_NOT_ALLOWED`.

    A bearer token is not sent by itself, nor is a key in the address, so requests with one are let through.
    """
    origin = request.headers.get("Origin")
    if origin is None or _bearer_token(request) is not None or "bot_key" in request.match_info:
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


def _bot_of(request: web.Request, token: str) -> BotState | None:
    """Only in the header: a browser must not be made to carry a bot's key about in a cookie."""
    is_in_header = _bearer_token(request) is not None
    return bot_by_key(request.app[ENGINE].directory, token) if is_in_header else None


def printable(text: str) -> str:
    """Header text as it may be kept: undecodable bytes replaced."""
    return text.encode(errors="replace").decode()
