"""How an address of the API is declared: once, for the router, for validation and for OpenAPI."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from campfire.api.keys import BODY_SECONDS
from campfire.api.schemas import Answer, Request
from campfire.domain.errors import refused
from campfire.errors import CampfireError
from campfire.iso_times import ms_from_iso

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
AnyRequest = TypeVar("AnyRequest", bound=Request)

Thing = TypeVar("Thing")

_BETWEEN_PAUSES = 500
"""Members of a long list that are encoded in one go; a few milliseconds."""

_decoders: dict[type[Any], Callable[[bytes], Any]] = {}
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Query:
    """A query parameter, for OpenAPI. `schema` is its JSON Schema."""

    name: str
    schema: dict[str, Any]
    description: str
    required: bool = False


@dataclass(frozen=True)
class Route:
    """One method at one address. `answers` maps status codes to the shape of the body (None: no body).

    `body_optional`: none at all is `{}`. `event_stream`: the same comes as Server-Sent Events if asked for.
    `client_frames`: what may be said over the WebSocket that this opens. `takes_file`: the body is a file.
    `gives`: the answer is no JSON but of these media types.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answers: dict[int, type[Answer] | None]
    body: type[Request] | None = None
    body_optional: bool = False
    queries: tuple[Query, ...] = ()
    signed_in: bool = True
    errors: tuple[str, ...] = field(default=())
    event_stream: bool = False
    takes_file: bool = False
    gives: tuple[str, ...] = ()
    client_frames: Any = None


async def body_of(request: web.Request, shape: type[AnyRequest]) -> AnyRequest:
    """The request's body. Raises `REQUEST_TIMEOUT`, and what else `problem_from` knows how to tell."""
    decode = _decoders.get(shape)
    if decode is None:
        decode = _decoders[shape] = msgspec.json.Decoder(shape).decode
    decoded: AnyRequest = decode(await raw_body(request))
    return decoded


async def optional_body_of(request: web.Request, shape: type[AnyRequest]) -> AnyRequest:
    """As `body_of`; nothing at all stands for `{}`."""
    return await body_of(request, shape) if request.body_exists else shape()


async def raw_body(request: web.Request) -> bytes:
    """What the request brings, in memory. Raises `REQUEST_TIMEOUT`, and what aiohttp does for too large a one."""
    if request.content.is_eof():  # nearly always: it came with the head, and needs no timer
        return await request.read()
    seconds = request.app[BODY_SECONDS]
    try:
        async with asyncio.timeout(seconds):
            return await request.read()
    except TimeoutError:
        raise CampfireError("REQUEST_TIMEOUT", f"The body had not arrived after {seconds:g} s.") from None


def answer(body: Answer, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=_encode(body), status=status, content_type="application/json")


async def list_answer(name: str, things: Sequence[Thing], view: Callable[[Thing], Answer]) -> web.Response:
    """A JSON answer `{name: [...]}` of any length, made bit by bit so that others are answered meanwhile."""
    parts = []
    for start in range(0, len(things), _BETWEEN_PAUSES):
        parts.append(_encode([view(thing) for thing in things[start : start + _BETWEEN_PAUSES]])[1:-1])
        await asyncio.sleep(0)
    return web.Response(body=b'{"%s":[%s]}' % (name.encode(), b",".join(parts)), content_type="application/json")


def no_content() -> web.Response:
    return web.Response(status=204)


def flag(request: web.Request, name: str) -> bool:
    """A query parameter that is true or false (the default). Raises `VALIDATION_FAILED`."""
    text = request.query.get(name, "false")
    if text not in ("true", "false"):
        detail = f"{name} must be true or false."
        raise CampfireError("VALIDATION_FAILED", detail, errors=[{"field": name, "message": detail}])
    return text == "true"


def whole_number(request: web.Request, name: str, default: int, low: int, high: int) -> int:
    """A query parameter that is a whole number. Raises `VALIDATION_FAILED` outside `low` to `high`."""
    text = request.query.get(name)
    if text is None:
        return default
    # A length cap first: turning a very long run of digits into a number is itself an attack.
    if not text.isascii() or not text.isdigit() or len(text) > 19 or not low <= int(text) <= high:
        detail = f"{name} must be a whole number from {low} to {high}."
        raise CampfireError("VALIDATION_FAILED", detail, errors=[{"field": name, "message": detail}])
    return int(text)


def time_of(field: str, text: str) -> int:
    """An ISO 8601 time, in milliseconds. Raises `ValidationFailed` that names the field."""
    try:
        return ms_from_iso(text)
    except (ValueError, OverflowError):
        raise refused(field, "must be an ISO 8601 time, such as 2026-11-23T08:00:00Z") from None
