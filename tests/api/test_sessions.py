from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client

ADA = {"email": "ada@example.com", "password": "correct horse battery"}
DAY = 86_400


async def test_signing_in_gives_a_token(chat: "Chat", ada: "Client") -> None:
    """201 with a token of its own; the address is compared without case."""
    reply = await chat.nobody().post("/api/v1/sessions", {**ADA, "email": "Ada@Example.COM"})
    assert reply.status == 201 and reply.json["token"] != ada.token
    assert (await chat.with_token(reply.json["token"]).get("/api/v1/me")).json["name"] == "Ada"


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"email": "nobody@example.com"}])
async def test_a_wrong_password_and_an_unknown_address_look_alike(
    chat: "Chat", ada: "Client", wrong: dict[str, str]
) -> None:
    """Nobody learns which addresses exist."""
    reply = await chat.nobody().post("/api/v1/sessions", {**ADA, **wrong})
    assert (reply.status, reply.code) == (401, "INVALID_CREDENTIALS")
    assert reply.json["detail"] == "The e-mail address or password is wrong."


async def test_signing_out_ends_the_session(chat: "Chat", ada: "Client") -> None:
    """204; the token is worth nothing afterwards, and other sessions go on."""
    other = (await chat.nobody().post("/api/v1/sessions", ADA)).json["token"]
    assert (await ada.delete("/api/v1/sessions/current")).status == 204
    reply = await ada.get("/api/v1/me")
    assert (reply.status, reply.code) == (401, "SESSION_EXPIRED")
    assert (await chat.with_token(other).get("/api/v1/me")).status == 200


async def test_a_person_sees_and_ends_their_own_sessions(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Each with its device; the one that asks is marked; another member's is not theirs to end."""
    reply = await chat.nobody().post("/api/v1/sessions", ADA, headers={"User-Agent": "Pocket/1"})
    pocket = chat.with_token(reply.json["token"])
    sessions = (await ada.get("/api/v1/sessions")).json["sessions"]
    assert len(sessions) == 2 and [each["current"] for each in sessions].count(True) == 1
    [lost] = [each["id"] for each in sessions if each["user_agent"] == "Pocket/1"]
    foreign = await bob.delete(f"/api/v1/sessions/{lost}")
    assert (foreign.status, foreign.code) == (404, "SESSION_NOT_FOUND")
    assert (await ada.delete(f"/api/v1/sessions/{lost}")).status == 204
    assert (await pocket.get("/api/v1/me")).code == "SESSION_EXPIRED"


async def test_a_token_is_never_shown_again(chat: "Chat", ada: "Client") -> None:
    """Neither the list of sessions nor the log's own state holds it."""
    assert ada.token is not None
    assert ada.token not in (await ada.get("/api/v1/sessions")).text
    assert all(session.token_hash != ada.token for session in chat.engine.directory.sessions.values())


async def test_a_session_ends_by_itself(chat: "Chat", ada: "Client") -> None:
    """After the days of the settings its token is refused, whether or not that is on record yet."""
    chat.clock.advance(30 * DAY - 1)
    assert (await ada.get("/api/v1/me")).status == 200
    chat.clock.advance(1)
    assert (await ada.get("/api/v1/me")).code == "SESSION_EXPIRED"


async def test_without_a_token_one_is_asked_to_sign_in(chat: "Chat", ada: "Client") -> None:
    """401 with the challenge that RFC 9110 asks for; another scheme is no token."""
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer "}):
        reply = await chat.nobody().get("/api/v1/me", headers=headers)
        assert (reply.status, reply.code) == (401, "AUTHENTICATION_REQUIRED")
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_browser_signs_in_by_cookie(chat: "Chat", ada: "Client") -> None:
    """The cookie is out of reach of scripts and of other sites' forms, and signing out removes it."""
    reply = await chat.nobody().post("/api/v1/sessions", ADA)
    cookie = SimpleCookie(reply.headers["Set-Cookie"])["campfire_session"]
    assert cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/"
    browser = {"Cookie": f"campfire_session={cookie.value}"}
    assert (await chat.nobody().get("/api/v1/me", headers=browser)).json["name"] == "Ada"
    out = await chat.nobody().delete("/api/v1/sessions/current", headers={**browser, "Origin": chat.url})
    assert out.status == 204 and SimpleCookie(out.headers["Set-Cookie"])["campfire_session"].value == ""


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", "http://127.0.0.1:1"])
async def test_another_site_cannot_act_with_our_cookie(chat: "Chat", ada: "Client", origin: str) -> None:
    """A change that a foreign page asks for is refused, whatever it calls itself; reading is no change."""
    headers = {"Cookie": f"campfire_session={ada.token}", "Origin": origin}
    reply = await chat.nobody().post("/api/v1/rooms", {"name": "Trap", "kind": "open"}, headers=headers)
    assert (reply.status, reply.code) == (403, "ORIGIN_NOT_ALLOWED")
    assert (await chat.nobody().get("/api/v1/me", headers=headers)).status == 200


async def test_another_site_cannot_sign_a_browser_in(chat: "Chat", ada: "Client") -> None:
    """A foreign page cannot plant its own session."""
    reply = await chat.nobody().post("/api/v1/sessions", ADA, headers={"Origin": "https://evil.example"})
    assert (reply.status, reply.code) == (403, "ORIGIN_NOT_ALLOWED")


async def test_a_program_with_a_token_may_come_from_anywhere(chat: "Chat", ada: "Client") -> None:
    """A bearer token is never sent by itself, so its origin says nothing."""
    reply = await ada.post("/api/v1/rooms", {"name": "Lab", "kind": "open"}, headers={"Origin": "https://lab.example"})
    assert reply.status == 201


async def test_guessing_is_slow(chat: "Chat", ada: "Client") -> None:
    """Ten tries for an address, then 429 with the time that really has to pass."""
    for _ in range(10):
        assert (await chat.nobody().post("/api/v1/sessions", {**ADA, "password": "guess"})).status == 401
    refused = await chat.nobody().post("/api/v1/sessions", ADA)
    assert (refused.status, refused.code) == (429, "RATE_LIMIT_EXCEEDED")
    chat.clock.advance(int(refused.headers["Retry-After"]))
    assert (await chat.nobody().post("/api/v1/sessions", ADA)).status == 201


async def test_a_lost_device_is_answered_by_ending_every_other_session(
    chat: "Chat", ada: "Client", bob: "Client"
) -> None:
    """204; the session that asks goes on, and so do other people's."""
    others = [(await chat.nobody().post("/api/v1/sessions", ADA)).json["token"] for _ in range(2)]
    assert (await ada.delete("/api/v1/sessions")).status == 204
    assert {(await chat.with_token(token).get("/api/v1/me")).status for token in others} == {401}
    [left] = (await ada.get("/api/v1/sessions")).json["sessions"]
    assert left["current"] and left["created_at"] and left["expires_at"]
    assert (await bob.get("/api/v1/me")).status == 200


async def test_guessing_is_as_slow_in_other_spellings(chat: "Chat", ada: "Client") -> None:
    """Whatever finds the same person counts as the same address."""
    for number in range(10):
        spelled = " " * number + "ADA@example.com" + "\t" * number
        assert (await chat.nobody().post("/api/v1/sessions", {"email": spelled, "password": "guess"})).status == 401
    refused = await chat.nobody().post("/api/v1/sessions", {**ADA, "email": " ada@example.com\n"})
    assert (refused.status, refused.code) == (429, "RATE_LIMIT_EXCEEDED")


async def test_credentials_that_are_no_token_do_not_hide_where_a_request_comes_from(
    chat: "Chat", ada: "Client"
) -> None:
    """Then it is the cookie that speaks, and that a browser sends by itself."""
    headers = {
        "Cookie": f"campfire_session={ada.token}",
        "Origin": "https://evil.example",
        "Authorization": "Basic eDp5",
    }
    reply = await chat.nobody().post("/api/v1/rooms", {"name": "Trap", "kind": "open"}, headers=headers)
    assert (reply.status, reply.code) == (403, "ORIGIN_NOT_ALLOWED")
