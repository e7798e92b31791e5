"""Bots: made by administrators, let in by their key."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client, OpenChat

NO_SUCH = "00000000-0000-4000-8000-000000000000"


async def a_bot(ada: "Client", name: str = "Robo", **wanted: Any) -> Any:
    reply = await ada.post("/api/v1/bots", {"name": name, **wanted})
    assert reply.status == 201, reply.text
    return reply.json


def as_bot(chat: "Chat", bot: Any) -> "Client":
    return chat.with_token(bot["key"])


async def test_a_bot_comes_with_a_key_that_is_shown_once(chat: "Chat", ada: "Client") -> None:
    """Its short number, a dash and twelve letters or digits; no later answer holds it."""
    bot = await a_bot(ada, webhook_url="https://bot.example.com/called")
    assert re.fullmatch(rf"{bot['number']}-[A-Za-z0-9]{{12}}", bot["key"])
    assert (bot["webhook_url"], bot["commands"], bot["has_key"]) == ("https://bot.example.com/called", [], True)
    shown = {name: value for name, value in bot.items() if name != "key"}
    for path in ("/api/v1/bots", f"/api/v1/bots/{bot['id']}", "/api/v1/users", f"/api/v1/users/{bot['id']}"):
        reply = await ada.get(path)
        assert reply.status == 200 and bot["key"].partition("-")[2] not in reply.text
    assert (await ada.get(f"/api/v1/bots/{bot['id']}")).json == shown
    assert (await ada.get("/api/v1/bots")).json == {"bots": [shown]}


async def test_a_key_is_in_no_file_and_no_log(chat: "Chat", ada: "Client", tmp_path: Path) -> None:
    """Only its hash and what the server's key file opens."""
    with capture_logs() as logs:
        bot = await a_bot(ada)
        rotated = (await ada.post(f"/api/v1/bots/{bot['id']}/key")).json["key"]
        for key in (bot["key"], rotated):
            await chat.with_token(key).get("/api/v1/me")
            await chat.nobody().get(f"/rooms/1/{key}/messages")
    for key in (bot["key"], rotated):
        token = key.partition("-")[2].encode()
        files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
        assert files and not [path for path in files if token in path.read_bytes()]
        assert token.decode() not in str(logs)
    sealed = chat.engine.directory.bots[bot["id"]].sealed_token
    assert sealed is not None and rotated.endswith("-" + chat.engine.sealer.open(sealed))


async def test_a_bot_uses_the_api_as_people_do(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """With its key as the bearer token: rooms, posting, files, search, its own profile."""
    bot = await a_bot(ada)
    robo = as_bot(chat, bot)
    me = (await robo.get("/api/v1/me")).json
    assert (me["id"], me["number"], me["role"]) == (bot["id"], bot["number"], "bot")
    assert [room["id"] for room in (await robo.get("/api/v1/rooms")).json["rooms"]] == [chat.first_room]
    file = (await robo.post("/api/v1/uploads?name=a.txt", b"a file")).json
    path = f"/api/v1/rooms/{chat.first_room}/messages"
    posted = await robo.post(path, {"body": "hello **all**", "uploads": [file["id"]]})
    assert posted.status == 201 and posted.json["plain_text"] == "hello all"
    [seen] = (await bob.get(path)).json["messages"]
    assert seen["author"] == {"id": bot["id"], "name": "Robo"} and seen["plain_text"] == "hello all"
    assert len((await robo.get("/api/v1/search?q=hello")).json["messages"]) == 1
    assert (await robo.patch("/api/v1/me", {"bio": "beep"})).json["bio"] == "beep"


async def test_a_bot_sees_only_its_rooms(chat: "Chat", ada: "Client") -> None:
    """A room that it was not added to is closed to it."""
    robo = as_bot(chat, await a_bot(ada))
    room = (await ada.post("/api/v1/rooms", {"name": "Secret", "kind": "closed"})).json["id"]
    assert (await robo.get(f"/api/v1/rooms/{room}/messages")).code == "ROOM_ACCESS_DENIED"


async def test_what_takes_a_person_is_refused_to_a_bot(chat: "Chat", ada: "Client") -> None:
    """403 that says so; above all there is no way to turn a key into a session."""
    bot = await a_bot(ada)
    robo = as_bot(chat, bot)
    password = {"current": "x", "new": "correct horse battery"}
    replies = [
        await robo.put("/api/v1/me/email", {"email": "robo@example.com", "password": "x"}),
        await robo.put("/api/v1/me/password", password),
        await robo.post("/api/v1/me/transfers"),
        await robo.get("/api/v1/sessions"),
        await robo.delete("/api/v1/sessions"),
        await robo.delete("/api/v1/sessions/current"),
        await robo.delete(f"/api/v1/sessions/{NO_SUCH}"),
        await robo.delete(f"/api/v1/users/{bot['id']}"),
        await robo.get("/api/v1/bots"),
        await robo.post(f"/api/v1/bots/{bot['id']}/key"),
    ]
    assert {(reply.status, reply.code) for reply in replies} == {(403, "PERMISSION_DENIED")}
    assert (await ada.post(f"/api/v1/users/{bot['id']}/password-resets")).code == "SIGN_IN_LINK_INVALID"


async def test_a_key_is_no_cookie(chat: "Chat", ada: "Client") -> None:
    """A browser must not be made to act as a bot."""
    key = (await a_bot(ada))["key"]
    for other in ({}, {"Authorization": "Basic eDp5"}):
        headers = {"Cookie": f"campfire_session={key}", **other}
        assert (await chat.nobody().get("/api/v1/me", headers=headers)).status == 401


@pytest.mark.parametrize(
    "change", [lambda n, t: f"{n + 1}-{t}", lambda n, t: t, lambda n, t: f"{n}-{t}x", lambda n, t: f"0{n}-{t}"]
)
async def test_a_key_is_right_or_wrong(chat: "Chat", ada: "Client", change: Any) -> None:
    """Number and token belong together."""
    bot = await a_bot(ada)
    wrong = change(bot["number"], bot["key"].partition("-")[2])
    assert (await chat.with_token(wrong).get("/api/v1/me")).code == "SESSION_EXPIRED"


async def test_a_rotated_key_works_and_the_old_one_does_not(chat: "Chat", ada: "Client") -> None:
    """From the answer on."""
    bot = await a_bot(ada)
    rotated = await ada.post(f"/api/v1/bots/{bot['id']}/key")
    assert rotated.status == 200 and rotated.json["id"] == bot["id"]
    assert (await as_bot(chat, bot).get("/api/v1/me")).status == 401
    assert (await chat.with_token(rotated.json["key"]).get("/api/v1/me")).status == 200


async def test_a_deactivated_bot_is_out_and_its_messages_stay(chat: "Chat", ada: "Client") -> None:
    """When it comes back its old key does not: an administrator gives it another."""
    bot = await a_bot(ada)
    robo = as_bot(chat, bot)
    path = f"/api/v1/rooms/{chat.first_room}/messages"
    await robo.post(path, {"body": "beep"})
    assert (await ada.delete(f"/api/v1/bots/{bot['id']}")).status == 204
    assert (await robo.get("/api/v1/me")).status == 401
    shown = (await ada.get(f"/api/v1/bots/{bot['id']}")).json
    assert (shown["status"], shown["has_key"]) == ("deactivated", False)
    assert [each["body"] for each in (await ada.get(path)).json["messages"]] == ["beep"]
    assert (await ada.post(f"/api/v1/bots/{bot['id']}/key")).code == "USER_NOT_FOUND"
    assert (await ada.put(f"/api/v1/users/{bot['id']}/active")).status == 204
    assert (await robo.get("/api/v1/me")).status == 401
    key = (await ada.post(f"/api/v1/bots/{bot['id']}/key")).json["key"]
    assert (await chat.with_token(key).get("/api/v1/rooms")).json["rooms"][0]["id"] == chat.first_room


async def test_a_key_outlives_a_restart(open_chat: "OpenChat") -> None:
    """And so does its having been taken away."""
    async with open_chat() as chat:
        ada = await chat.set_up()
        bot, gone = await a_bot(ada), await a_bot(ada, "Gone")
        await ada.delete(f"/api/v1/bots/{gone['id']}")
    async with open_chat() as chat:
        assert (await as_bot(chat, bot).get("/api/v1/me")).status == 200
        assert (await as_bot(chat, gone).get("/api/v1/me")).status == 401


async def test_a_bot_is_changed(ada: "Client") -> None:
    """What is left out stays; null takes the address away."""
    path = f"/api/v1/bots/{(await a_bot(ada, webhook_url='https://bot.example.com/'))['id']}"
    changed = (await ada.patch(path, {"name": "Robot", "bio": "beep"})).json
    assert (changed["name"], changed["bio"], changed["webhook_url"]) == ("Robot", "beep", "https://bot.example.com/")
    assert (await ada.patch(path, {"webhook_url": None})).json["webhook_url"] is None
    assert (await ada.patch(path, {"name": "  "})).status == 422
    assert (await ada.get(path)).json["name"] == "Robot"


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "https://10.0.0.1/x"])
async def test_an_address_inside_is_refused_at_once(ada: "Client", url: str) -> None:
    """Making a bot and changing one, as for webhooks; nothing has changed then."""
    assert (await ada.post("/api/v1/bots", {"name": "Robo", "webhook_url": url})).code == "ADDRESS_BLOCKED"
    assert (await ada.get("/api/v1/bots")).json["bots"] == []
    bot = await a_bot(ada)
    reply = await ada.patch(f"/api/v1/bots/{bot['id']}", {"name": "Other", "webhook_url": url})
    assert reply.code == "ADDRESS_BLOCKED"
    assert (await ada.get(f"/api/v1/bots/{bot['id']}")).json["name"] == "Robo"


async def test_only_administrators_look_after_bots(ada: "Client", bob: "Client") -> None:
    """Members get 403 at every address, whether or not the bot exists; administrators 404 for what is none."""
    bot_id = (await a_bot(ada))["id"]
    for each in (bot_id, NO_SUCH, bob.user["id"]):
        path = f"/api/v1/bots/{each}"
        for method, address, body in (
            ("POST", "/api/v1/bots", {"name": "Robo"}),
            ("GET", "/api/v1/bots", None),
            ("GET", path, None),
            ("PATCH", path, {"name": "Mine"}),
            ("DELETE", path, None),
            ("POST", f"{path}/key", None),
        ):
            assert (await bob.send(method, address, body)).code == "PERMISSION_DENIED", (method, address)
            if each != bot_id and address != "/api/v1/bots":
                assert (await ada.send(method, address, body)).code == "USER_NOT_FOUND", (method, address)


async def test_everybody_sees_the_commands_of_all_bots(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """What the bot said itself, or an administrator; those of a bot that has gone are gone."""
    bot = await a_bot(ada)
    path = f"/api/v1/bots/{bot['id']}/commands"
    wanted = {"commands": [{"name": "undo", "description": ""}, {"name": "deploy", "description": "Ship it"}]}
    assert (await as_bot(chat, bot).put(path, wanted)).json == wanted
    assert (await bob.put(path, {"commands": []})).code == "PERMISSION_DENIED"
    offered = (await bob.get("/api/v1/commands")).json["commands"]
    assert offered[0] == {"name": "deploy", "description": "Ship it", "bot": {"id": bot["id"], "name": "Robo"}}
    assert [each["name"] for each in offered] == ["deploy", "undo"]
    assert (await ada.put(path, {"commands": [{"name": "Play it"}]})).code == "VALIDATION_FAILED"
    await ada.delete(f"/api/v1/bots/{bot['id']}")
    assert (await bob.get("/api/v1/commands")).json["commands"] == []
