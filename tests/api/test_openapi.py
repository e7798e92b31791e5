import re
from typing import TYPE_CHECKING, Any

import msgspec

from campfire.api.app import ROUTES
from campfire.errors import CATALOGUE

if TYPE_CHECKING:
    from tests.api.conftest import Chat

CONTRACT = {
    ("POST", "/api/v1/setup", 201),
    ("POST", "/api/v1/join/{join_code}", 201),
    ("POST", "/api/v1/sessions", 201),
    ("DELETE", "/api/v1/sessions/current", 204),
    ("GET", "/api/v1/me", 200),
    ("GET", "/api/v1/account", 200),
    ("GET", "/api/v1/users", 200),
    ("GET", "/api/v1/rooms", 200),
    ("POST", "/api/v1/rooms", 201),
    ("POST", "/api/v1/rooms/{room_id}/messages", 201),
    ("POST", "/api/v1/rooms/{room_id}/messages", 200),
    ("GET", "/api/v1/rooms/{room_id}/messages", 200),
    ("PATCH", "/api/v1/messages/{message_id}", 200),
    ("DELETE", "/api/v1/messages/{message_id}", 204),
    ("GET", "/api/v1/search", 200),
    ("POST", "/api/v1/webhooks", 201),
    ("GET", "/feed", 200),
    ("GET", "/health", 200),
    ("GET", "/health/live", 200),
    ("GET", "/health/ready", 200),
}


async def document(chat: "Chat") -> Any:
    return (await chat.nobody().get("/openapi.json")).json


async def test_the_description_holds_every_call_of_the_contract(chat: "Chat") -> None:
    """Clients outside the project rely on these."""
    paths = (await document(chat))["paths"]
    described = {
        (method.upper(), path, int(status))
        for path, operations in paths.items()
        for method, operation in operations.items()
        for status in operation["responses"]
    }
    assert described >= CONTRACT


async def test_the_description_is_openapi_3_1(chat: "Chat") -> None:
    """Every reference leads somewhere, every operation has a name of its own, every path parameter is described."""
    found = await document(chat)
    assert found["openapi"].startswith("3.1")
    operations = [operation for path in found["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    schemas = found["components"]["schemas"]
    for reference in references(found):
        assert reference.startswith("#/components/schemas/") and reference.rpartition("/")[2] in schemas
    for path, methods in found["paths"].items():
        for operation in methods.values():
            described = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            assert described == {part[1:-1] for part in path.split("/") if part.startswith("{")}


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [value for key, value in node.items() if key == "$ref"] + [
            each for value in node.values() for each in references(value)
        ]
    return [each for value in node for each in references(value)] if isinstance(node, list) else []


async def test_the_description_is_made_from_what_validates(chat: "Chat") -> None:
    """A field's limit in the description is the one that refuses a request."""
    schemas = (await document(chat))["components"]["schemas"]
    for route in ROUTES:
        if route.body is not None:
            fields = {field.encode_name for field in msgspec.structs.fields(route.body)}
            assert schemas[route.body.__name__]["properties"].keys() == fields
            assert schemas[route.body.__name__]["additionalProperties"] is False


async def test_whoever_needs_to_sign_in_is_told_so_by_the_description(chat: "Chat") -> None:
    """Each operation that says so answers 401 without a token, and no other does."""
    found = await document(chat)
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            if method == "get":
                reply = await chat.nobody().get(path.replace("{", "").replace("}", ""))
                assert (reply.status == 401) == bool(operation["security"]), path


async def test_errors_that_a_route_names_are_in_the_catalogue_and_described(chat: "Chat") -> None:
    """As problem documents, under their own status."""
    found = await document(chat)
    for route in ROUTES:
        responses = found["paths"][route.path][route.method.lower()]["responses"]
        for code in route.errors:
            assert "application/problem+json" in responses[str(CATALOGUE[code].status)]["content"], (route.path, code)


async def test_the_api_can_be_read_in_a_browser(chat: "Chat") -> None:
    """One page of every call and shape, one of every error; no script, nothing from another host."""
    found = await document(chat)
    api = await chat.nobody().get("/docs/api")
    errors = await chat.nobody().get("/docs/errors")
    for path in found["paths"]:
        assert path in api.text
    for code in CATALOGUE:
        assert code in errors.text
    for page in (api, errors):
        assert page.headers["Content-Type"].startswith("text/html")
        assert "<script" not in page.text
        assert all(link.startswith(("/", "#")) for link in re.findall(r'(?:href|src)="([^"]*)"', page.text))
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe-inline" not in policy
        assert " style=" not in page.text and "<style" not in page.text
    assert (await chat.nobody().get("/docs/style.css")).headers["Content-Type"].startswith("text/css")
