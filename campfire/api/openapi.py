"""OpenAPI 3.1, made from the routes and from the structs that validate."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from campfire import __version__
from campfire.api.problems import CONTENT_TYPE, Problem
from campfire.api.routes import Route
from campfire.errors import CATALOGUE

_ALWAYS = ("RATE_LIMIT_EXCEEDED", "SERVER_BUSY", "INTERNAL_ERROR")
_WITH_BODY = ("MALFORMED_REQUEST", "REQUEST_TIMEOUT", "VALIDATION_FAILED", "PAYLOAD_TOO_LARGE")
_SIGNED_IN = ("AUTHENTICATION_REQUIRED",)
_UNSAFE = ("ORIGIN_NOT_ALLOWED", "DATABASE_CONSTRAINT_VIOLATION", "DISK_FULL")


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole description, as it is served at /openapi.json."""
    routes = tuple(routes)
    shapes: list[Any] = [Problem]
    for route in routes:
        shapes += [shape for shape in (route.body, *route.answers.values(), route.client_frames) if shape is not None]
    unique = list(dict.fromkeys(shapes))
    schemas, components = msgspec.json.schema_components(unique, ref_template="#/components/schemas/{name}")
    ref = dict(zip(unique, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, ref)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Campfire",
            "version": __version__,
            "description": "Team chat that cannot forget. Every error is a problem document (RFC 9457) with a `code`.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "campfire_session"},
            },
        },
    }


def _operation(route: Route, ref: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.handler.__name__,
        "parameters": _parameters(route),
        "responses": {**_answers(route, ref), **_errors(route, ref)},
        "security": [{"bearer": []}, {"cookie": []}] if route.signed_in else [],
    }
    if route.body is not None:
        content = {"application/json": {"schema": ref[route.body]}}
        operation["requestBody"] = {"required": not route.body_optional, "content": content}
    if route.takes_file:
        binary = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": binary}}
    for media_type in route.gives:
        for status in map(str, filter(_is_success, route.answers)):
            given = operation["responses"][status].setdefault("content", {})
            given[media_type] = {"schema": {"type": "string", "format": "binary"}}
    if route.event_stream:
        operation["responses"]["200"]["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    if route.client_frames is not None:
        operation["x-client-frames"] = ref[route.client_frames]
    return operation


def _is_success(status: int) -> bool:
    return status < 300


def _parameters(route: Route) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    in_query = [
        {
            "name": query.name,
            "in": "query",
            "required": query.required,
            "schema": query.schema,
            "description": query.description,
        }
        for query in route.queries
    ]
    return in_path + in_query


def _answers(route: Route, ref: dict[Any, Any]) -> dict[str, Any]:
    return {
        str(status): {
            "description": "OK" if shape is not None else "Done",
            **({"content": {"application/json": {"schema": ref[shape]}}} if shape is not None else {}),
        }
        for status, shape in route.answers.items()
    }


def _errors(route: Route, ref: dict[Any, Any]) -> dict[str, Any]:
    codes = [*route.errors, *_ALWAYS, "NOT_FOUND"]
    codes += _WITH_BODY if route.body is not None else ()
    codes += ("VALIDATION_FAILED",) if route.queries else ()
    codes += (*_SIGNED_IN, "SESSION_EXPIRED") if route.signed_in else ()
    codes += _UNSAFE if route.method != "GET" else ()
    by_status: dict[str, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(str(CATALOGUE[code].status), []).append(code)
    taken = {str(status) for status in route.answers}
    return {
        status: {"description": ", ".join(codes), "content": {CONTENT_TYPE: {"schema": ref[Problem]}}}
        for status, codes in sorted(by_status.items())
        if status not in taken
    }
