import gzip
from typing import TYPE_CHECKING

import pytest

from campfire.errors import CATALOGUE

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client

MEMBERS = {"type", "title", "status", "detail", "code", "retryable", "request_id"}


async def test_every_error_is_a_problem_document(chat: "Chat", ada: "Client") -> None:
    """RFC 9457, with a code of the catalogue, whether a retry helps, and the request's id."""
    for reply in (
        await chat.nobody().get("/api/v1/me"),
        await ada.get("/no/such/address"),
        await ada.send("PUT", "/api/v1/me", b"{}"),
        await ada.post("/api/v1/rooms", b"{"),
        await ada.post("/api/v1/rooms", {"kind": "secret"}),
        await ada.get("/api/v1/rooms/nowhere"),
        await ada.post("/api/v1/rooms", b'{"name": "' + b"x" * 600_000 + b'"}'),
    ):
        problem, kind = reply.json, CATALOGUE[reply.code]
        assert problem.keys() >= MEMBERS
        assert (problem["status"], problem["title"], problem["retryable"]) == (reply.status, kind.title, kind.retryable)
        assert problem["request_id"] == reply.headers["X-Request-Id"]


async def test_the_type_of_a_problem_leads_to_its_explanation(chat: "Chat") -> None:
    """A person who follows it finds the code."""
    reply = await chat.nobody().get("/api/v1/me")
    page, _, anchor = reply.json["type"].partition("#")
    explained = await chat.nobody().get(page)
    assert explained.status == 200 and f'id="{anchor}"' in explained.text


async def test_facts_of_an_error_are_in_the_problem(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """A program finds them without reading the sentence."""
    room_id = (await ada.post("/api/v1/rooms", {"name": "Vault", "kind": "closed"})).json["id"]
    assert (await bob.get(f"/api/v1/rooms/{room_id}")).json["room_id"] == room_id
    long = (await ada.post(f"/api/v1/rooms/{room_id}/messages", {"body": "x" * 10_001})).json
    assert (long["length"], long["limit"]) == (10_001, 10_000)


async def test_an_unknown_address_and_method_are_told_apart(ada: "Client") -> None:
    """404, and 405 with the methods that there are."""
    assert (await ada.get("/api/v1/nothing")).code == "NOT_FOUND"
    reply = await ada.send("DELETE", "/api/v1/rooms")
    assert (reply.status, reply.code) == (405, "METHOD_NOT_ALLOWED")
    assert {method.strip() for method in reply.headers["Allow"].split(",")} == {"GET", "POST"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[", b"null x", b"\xff\xfe", b'{"name": "\xff"}', b'{"name": "\\ud800"}', b"[" * 200_000, b"name=x"],
)
async def test_a_body_that_cannot_be_read_is_malformed(ada: "Client", body: bytes) -> None:
    """400 or 422, never our failure."""
    reply = await ada.post("/api/v1/rooms", body)
    assert (reply.status, reply.code) in {(400, "MALFORMED_REQUEST"), (422, "VALIDATION_FAILED")}


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"7", b'"x"', b'{"name": 7}', b'{"nome": "x"}', b'{"members": 1e999}']
)
async def test_a_body_of_another_shape_is_refused(ada: "Client", body: bytes) -> None:
    """422 with the field."""
    reply = await ada.post("/api/v1/rooms", body)
    assert (reply.status, reply.code) == (422, "VALIDATION_FAILED") and reply.json["errors"][0]["field"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_body_that_does_not_unpack_is_malformed(ada: "Client", encoding: str) -> None:
    """400: what was sent is not what it said it was."""
    reply = await ada.post("/api/v1/rooms", b"this is not packed", headers={"Content-Encoding": encoding})
    assert (reply.status, reply.code) == (400, "MALFORMED_REQUEST")


async def test_a_small_body_that_unpacks_to_a_huge_one_is_too_large(ada: "Client") -> None:
    """The limit is on what it becomes."""
    bomb = gzip.compress(b'{"name": "' + b"x" * 50_000_000 + b'"}')
    reply = await ada.post("/api/v1/rooms", bomb, headers={"Content-Encoding": "gzip"})
    assert (reply.status, reply.code) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("part", ["%00", "%ff", "%ed%a0%80", "%2e%2e", "%2F", "x" * 5000, "{", "%F0%9F%94%A5"])
async def test_an_id_that_is_none_is_not_found(ada: "Client", part: str) -> None:
    """404 for whatever stands where an id should."""
    for path in ("/api/v1/rooms/{}", "/api/v1/messages/{}", "/api/v1/users/{}", "/api/v1/webhooks/{}"):
        assert (await ada.get(path.replace("{}", part))).status == 404, path


@pytest.mark.parametrize("part", ["%ff", "%ed%a0%80", "%00"])
async def test_a_page_at_bytes_that_are_no_id_is_not_found(chat: "Chat", ada: "Client", part: str) -> None:
    """404 also where the id stands in the query."""
    reply = await ada.get(f"/api/v1/rooms/{chat.first_room}/messages?before={part}")
    assert (reply.status, reply.code) == (404, "MESSAGE_NOT_FOUND")


async def test_answers_tell_browsers_to_be_careful(chat: "Chat", ada: "Client") -> None:
    """On answers and problems alike: no sniffing, no framing, no caching, no script."""
    for reply in (await ada.get("/api/v1/me"), await chat.nobody().get("/api/v1/me"), await ada.get("/nothing")):
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in reply.headers["Content-Security-Policy"]
        assert "unsafe-inline" not in reply.headers["Content-Security-Policy"]
        assert reply.headers["Cache-Control"] == "no-store"


async def test_our_own_failure_tells_nothing_about_itself(
    chat: "Chat", ada: "Client", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """500 with a request id; the cause is in the log under that id and nowhere else."""

    def broken(_user_id: str) -> None:
        raise RuntimeError("the cellar is flooded")

    monkeypatch.setattr(chat.engine.directory, "rooms_of", broken)
    reply = await ada.get("/api/v1/rooms")
    assert (reply.status, reply.code) == (500, "INTERNAL_ERROR")
    assert "cellar" not in reply.text and "Traceback" not in reply.text
    captured = capsys.readouterr()
    logged = captured.out + captured.err
    assert reply.json["request_id"] in logged and "the cellar is flooded" in logged
