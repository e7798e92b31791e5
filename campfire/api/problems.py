"""Errors as problem documents (RFC 9457), the same over HTTP and WebSocket."""

import math
from typing import Any

import msgspec
import structlog
from aiohttp import web

from campfire.domain.errors import DomainError
from campfire.errors import CATALOGUE, CampfireError, ErrorKind

CONTENT_TYPE = "application/problem+json"

_BY_STATUS = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "PAYLOAD_TOO_LARGE"}

log = structlog.get_logger()


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong. `code` is from the catalogue; `advice` tells a person what to do."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    advice: str
    request_id: str
    retry_after: float | None = None
    errors: list[dict[str, Any]] | None = None
    length: int | None = None
    limit: int | None = None
    room_id: str | None = None


def problem_from(error: Exception, request_id: str) -> Problem:
    """Translate any exception. What is not in the catalogue is logged and becomes `INTERNAL_ERROR`."""
    if isinstance(error, CampfireError):
        return _problem(error.kind, error.detail, request_id, retry_after=error.retry_after, extra=error.extra)
    if isinstance(error, DomainError):
        return _problem(CATALOGUE[error.code], error.detail, request_id, extra=error.extra)
    if isinstance(error, msgspec.ValidationError):
        field = str(error).partition(" - at `$")[2].strip("`.") or "body"
        message = str(error).partition(" - at `")[0]
        errors = [{"field": field, "message": message}]
        return _problem(CATALOGUE["VALIDATION_FAILED"], f"{message} ({field}).", request_id, extra={"errors": errors})
    if isinstance(error, (msgspec.DecodeError, UnicodeDecodeError, web.RequestPayloadError)):
        return _problem(CATALOGUE["MALFORMED_REQUEST"], "The body is not JSON that can be read.", request_id)
    if isinstance(error, web.HTTPException):
        kind = CATALOGUE[_BY_STATUS.get(error.status, "MALFORMED_REQUEST")]
        return _problem(kind, kind.advice, request_id)
    log.error("internal_error", request_id=request_id, exc_info=error)
    kind = CATALOGUE["INTERNAL_ERROR"]
    return _problem(kind, kind.advice, request_id)


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> web.Response:
    """The problem as an HTTP answer, with Retry-After (RFC 9110 section 10.2.3) where waiting helps."""
    response = web.Response(
        status=problem.status, body=msgspec.json.encode(problem), content_type=CONTENT_TYPE, headers=headers
    )
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(problem.retry_after))
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="campfire"'
    return response


def _problem(
    kind: ErrorKind,
    detail: str,
    request_id: str,
    *,
    retry_after: float | None = None,
    extra: dict[str, Any] | None = None,
) -> Problem:
    extra = extra or {}
    return Problem(
        type=f"/docs/errors#{kind.code}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        code=kind.code,
        retryable=kind.retryable,
        advice=kind.advice,
        request_id=request_id,
        retry_after=retry_after,
        errors=extra.get("errors"),
        length=extra.get("length"),
        limit=extra.get("limit"),
        room_id=extra.get("room_id"),
    )
