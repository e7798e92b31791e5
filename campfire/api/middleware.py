"""What happens to every request: a request id, limits, and errors turned into problem documents.

One middleware on purpose: each layer would cost every message some microseconds.
"""

import math
import os
from collections.abc import Awaitable, Callable

from aiohttp import web

from campfire.api.auth import asking_user, require_same_origin
from campfire.api.keys import ENGINE, RATE_LIMITER, REQUEST_ID
from campfire.api.problems import problem_from, problem_response
from campfire.errors import CampfireError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
SECURITY_HEADERS = {
    "Server": "Campfire",  # not which versions of what it is made of
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Cache-Control": "no-store",
}


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Limit, handle, and answer errors in one shape."""
    request_id = os.urandom(8).hex()
    request[REQUEST_ID] = request_id
    limits: dict[str, str] = {}
    try:
        if request.method not in _SAFE_METHODS:
            require_same_origin(request)
            if request.remote in request.app[ENGINE].directory.banned_addresses:
                raise CampfireError("ADDRESS_BANNED")
        limits = _count(request)
        response = await handler(request)
    except Exception as error:
        response = problem_response(problem_from(error, request_id), _headers_of(error))
    if not response.prepared:
        add_common_headers(request, response)
        for name, value in limits.items():
            response.headers.setdefault(name, value)
    return response


def add_common_headers(request: web.Request, response: web.StreamResponse) -> None:
    """What every answer carries; one that is sent bit by bit calls this before its first bit."""
    response.headers["X-Request-Id"] = request[REQUEST_ID]
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)


def _count(request: web.Request) -> dict[str, str]:
    """Take from the person's or the address's allowance; return the headers that tell what is left."""
    limiter = request.app.get(RATE_LIMITER)
    if limiter is None or request.path.startswith("/health"):
        return {}
    allowance = limiter.take(limit_key(request))
    return {
        "RateLimit-Limit": str(allowance.limit),
        "RateLimit-Remaining": str(allowance.remaining),
        "RateLimit-Reset": str(round(allowance.reset)),
    }


def limit_key(request: web.Request) -> str:
    """The signed-in person or the bot, else the address."""
    return asking_user(request) or request.remote or ""


def _headers_of(error: Exception) -> dict[str, str] | None:
    if isinstance(error, web.HTTPMethodNotAllowed):
        return {"Allow": ", ".join(sorted(error.allowed_methods))}
    if isinstance(error, CampfireError) and error.code == "RATE_LIMIT_EXCEEDED":
        reset = str(math.ceil(error.retry_after or 0))
        return {"RateLimit-Limit": str(error.extra["limit"]), "RateLimit-Remaining": "0", "RateLimit-Reset": reset}
    return None
