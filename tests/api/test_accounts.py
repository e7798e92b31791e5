from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client

PERSON = {"name": "Bob", "email": "bob@example.com", "password": "correct horse battery"}


async def test_setting_up_answers_with_all_that_a_client_needs_to_begin(chat: "Chat") -> None:
    """201 with a token that works at once, the administrator, the account's join code and the first room."""
    reply = await chat.nobody().post("/api/v1/setup", {"account": "Engine Room", **PERSON})
    assert reply.status == 201
    done = reply.json
    assert done["user"]["name"] == "Bob" and done["user"]["role"] == "administrator"
    assert done["account"]["name"] == "Engine Room" and done["account"]["join_code"]
    assert done["room"]["kind"] == "open" and done["room"]["members"] == [done["user"]["id"]]
    assert (await chat.with_token(done["token"]).get("/api/v1/me")).json["id"] == done["user"]["id"]


async def test_a_server_is_set_up_once(chat: "Chat", ada: "Client") -> None:
    """Whoever comes second is refused and nothing changes."""
    reply = await chat.nobody().post("/api/v1/setup", {"account": "Mine now", **PERSON})
    assert (reply.status, reply.code) == (409, "SETUP_ALREADY_DONE")
    assert (await ada.get("/api/v1/account")).json["name"] == "Engine Room"


async def test_a_member_joins_every_open_room(chat: "Chat", ada: "Client") -> None:
    """201 with a token and the person, who is a member of the first room already."""
    reply = await chat.nobody().post(f"/api/v1/join/{chat.join_code}", PERSON)
    assert reply.status == 201 and reply.json["user"]["role"] == "member"
    rooms = (await chat.with_token(reply.json["token"]).get("/api/v1/rooms")).json["rooms"]
    assert [room["id"] for room in rooms] == [chat.first_room]


async def test_a_wrong_invitation_lets_nobody_in(chat: "Chat", ada: "Client") -> None:
    """404, as for any address that does not exist."""
    reply = await chat.nobody().post("/api/v1/join/no-such-code", PERSON)
    assert (reply.status, reply.code) == (404, "JOIN_CODE_INVALID")


async def test_nobody_can_join_a_server_that_is_not_set_up(chat: "Chat") -> None:
    """The answer says what is missing."""
    reply = await chat.nobody().post("/api/v1/join/anything", PERSON)
    assert (reply.status, reply.code) == (409, "SETUP_REQUIRED")


async def test_an_address_belongs_to_one_person_whatever_its_case(chat: "Chat", ada: "Client") -> None:
    """A second join with the same address is refused."""
    reply = await chat.nobody().post(f"/api/v1/join/{chat.join_code}", {**PERSON, "email": "ADA@Example.com"})
    assert (reply.status, reply.code) == (409, "EMAIL_TAKEN")


async def test_only_administrators_see_the_join_code(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Members see the account's name."""
    assert (await ada.get("/api/v1/account")).json["join_code"] == chat.join_code
    account = (await bob.get("/api/v1/account")).json
    assert account["name"] == "Engine Room" and account.get("join_code") is None


async def test_people_are_listed_without_their_addresses(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Everybody sees names and roles; an e-mail address is seen by its owner."""
    reply = await bob.get("/api/v1/users")
    assert [(user["name"], user["role"]) for user in reply.json["users"]] == [
        ("Ada", "administrator"),
        ("Bob", "member"),
    ]
    assert "ada@example.com" not in reply.text
    assert (await bob.get("/api/v1/me")).json["email"] == "bob@example.com"


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "   "), ("name", "a\u0000b"), ("name", "x" * 101), ("email", "nobody"), ("password", "short")],
)
async def test_a_person_needs_a_name_an_address_and_a_password(
    chat: "Chat", ada: "Client", field: str, value: str
) -> None:
    """422 that names the field."""
    reply = await chat.nobody().post(f"/api/v1/join/{chat.join_code}", {**PERSON, field: value})
    assert (reply.status, reply.code) == (422, "VALIDATION_FAILED")
    assert [error["field"] for error in reply.json["errors"]] == [field]


async def test_passwords_are_never_kept_or_shown(chat: "Chat", ada: "Client") -> None:
    """The log holds an Argon2id hash with OWASP's parameters, and no answer holds either."""
    password_hash = chat.engine.directory.users[ada.user["id"]].password_hash
    assert password_hash is not None and password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    for path in ("/api/v1/me", "/api/v1/users", "/api/v1/account"):
        assert "argon2" not in (await ada.get(path)).text
