"""Bots written for ONCE Campfire, as their authors call it: raw bytes, no cookie, the key in the address."""

import re
from typing import TYPE_CHECKING

import aiohttp
import pytest
from once_support.caller import Bot, form, next_of

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client, OpenChat


@pytest.fixture
async def bot(chat: "Chat", ada: "Client") -> Bot:
    """A bot in the first room."""
    return await a_bot(chat, ada, "Robo")


async def a_bot(chat: "Chat", ada: "Client", name: str) -> Bot:
    made = (await ada.post("/api/v1/bots", {"name": name})).json
    room = chat.engine.directory.rooms[chat.first_room].position
    return Bot(chat.url, room, made["key"], made["number"], made["id"])


@pytest.mark.parametrize(
    "header",
    [
        "Content-Type: application/x-www-form-urlencoded",  # curl -d
        "Content-Type: text/plain",
        "Content-Type: application/json",
        "Content-Type: nonsense",
        "Accept: */*",
    ],
)
async def test_a_text_is_posted_whatever_type_it_says(chat: "Chat", ada: "Client", bot: Bot, header: str) -> None:
    """201 with the message's address; the body as it was sent is the text, in UTF-8."""
    number = await bot.post("Hello & 100% + *Grüße* 👋", header)
    [seen] = (await ada.get(f"/api/v1/rooms/{chat.first_room}/messages")).json["messages"]
    assert (seen["body"], seen["position"]) == ("Hello & 100% + *Grüße* 👋", number)
    assert seen["author"] == {"id": bot.id, "name": "Robo"}


async def test_a_message_is_shown_as_bots_know_it(chat: "Chat", ada: "Client", bot: Bot) -> None:
    """Short numbers for ids, absolute addresses, plain text and HTML; somebody mentioned by their present name."""
    await ada.post(f"/api/v1/rooms/{chat.first_room}/messages", {"body": "@Robo **now**, <b>"})
    await ada.patch(f"/api/v1/bots/{bot.id}", {"name": "Robot"})
    [message] = await bot.list()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", message.pop("created_at"))
    avatar = message["creator"].pop("avatar_url")
    assert avatar.startswith(f"{chat.url}/api/v1/users/{ada.user['id']}/avatar?")
    mention = f'<span class="mention" data-user-id="{bot.id}">@Robot</span>'
    assert message == {
        "id": message["id"],
        "body": {
            "plain_text": "@Robot now, <b>",
            "html": f"<p>{mention} <strong>now</strong>, &lt;b&gt;</p>",
        },
        "creator": {"id": ada.user["number"], "name": "Ada", "role": "administrator"},
        "room": {"id": bot.room},
        "url": f"{chat.url}/rooms/{bot.room}/@{message['id']}",
    }


async def test_a_file_is_posted(chat: "Chat", ada: "Client", bot: Bot) -> None:
    """As curl -F attachment=@report.pdf sends it; its name is what the message says."""
    body, header = form(('attachment"; filename="report.txt"\r\nContent-Type: application/pdf', b"the figures"))
    await bot.post(body, header)
    [message] = await bot.list()
    assert message["body"] == {"plain_text": "report.txt", "html": ""}
    [seen] = (await ada.get(f"/api/v1/rooms/{chat.first_room}/messages")).json["messages"]
    [file] = seen["attachments"]
    assert (file["name"], file["size"], file["media_type"], seen["body"]) == ("report.txt", 11, "text/plain", "")
    assert (await ada.get(file["url"])).text == "the figures"


@pytest.mark.parametrize("name", ["body", "message[body]"])
async def test_a_text_comes_beside_a_file(bot: Bot, name: str) -> None:
    """Before or after it; other parts are passed over."""
    body, header = form((f'{name}"', b"look"), ('other"', b"x"), ('attachment"; filename="a.txt"', b"file"))
    await bot.post(body, header)
    [message] = await bot.list()
    assert message["body"]["plain_text"] == "look"


async def test_neither_text_nor_file_is_refused(bot: Bot) -> None:
    """422, and nothing is posted."""
    empty_form, header = form(('note"', b"x"))
    replies = [
        await bot.call("POST", bot.messages),
        await bot.call("POST", bot.messages, b" \n "),
        await bot.call("POST", bot.messages, b"\xff\xfe"),
        await bot.call("POST", bot.messages, b"a\0b"),
        await bot.call("POST", bot.messages, empty_form, header),
        await bot.call("POST", bot.messages, form(('body"', b"\xff"))[0], header),
    ]
    assert [(reply.status, reply.code) for reply in replies] == [(422, "VALIDATION_FAILED")] * 6
    broken = await bot.call("POST", bot.messages, b"no form", "Content-Type: multipart/form-data")
    assert (broken.status, broken.code) == (400, "MALFORMED_REQUEST")
    assert await bot.list() == []


async def test_a_text_of_any_length_is_taken(chat: "Chat", ada: "Client", bot: Bot) -> None:
    """What is too long is cut, and marked so: such a bot knows no limit and no error for it."""
    await bot.post("x" * 20_000)
    [seen] = (await ada.get(f"/api/v1/rooms/{chat.first_room}/messages")).json["messages"]
    assert (len(seen["body"]), seen["original_length"]) == (10_000, 20_000)
    assert (await bot.call("POST", bot.messages, b"x" * 600_000)).code == "PAYLOAD_TOO_LARGE"


async def test_history_is_read_page_by_page(chat: "Chat", ada: "Client", bot: Bot) -> None:
    """40 at a time, oldest first, back from the newest by `next`, or forwards from a message; none twice."""
    numbers = [await bot.post(f"m{number}") for number in range(95)]
    gone = numbers.pop(50)
    assert (await bot.call("DELETE", f"{bot.messages}/{gone}")).status == 204
    pages: list[list[int]] = []
    path: str | None = bot.messages
    while path is not None:
        reply = await bot.call("GET", path)
        assert reply.headers["x-total-count"] == "94"
        pages.insert(0, [message["id"] for message in reply.json])
        path = next_of(reply)
    assert [len(page) for page in pages] == [14, 40, 40]
    assert [number for page in pages for number in page] == numbers
    forwards, path = [numbers[0]], f"{bot.messages}?after={numbers[0]}"
    while path is not None:
        reply = await bot.call("GET", path)
        forwards += [message["id"] for message in reply.json]
        path = next_of(reply)
    assert forwards == numbers
    assert next(message["id"] for message in await bot.list(f"?after={gone}")) == numbers[50]
    assert await bot.list(f"?before={numbers[0]}") == []


async def test_an_anchor_that_is_not_there_is_not_found(chat: "Chat", ada: "Client", bot: Bot) -> None:
    """Nor one from another room, nor what is no number."""
    other = (await ada.post("/api/v1/rooms", {"name": "Other", "kind": "closed"})).json
    there = (await ada.post(f"/api/v1/rooms/{other['id']}/messages", {"body": "x"})).json["position"]
    for anchor in ("999999", "0", "abc", "-1", "9" * 30, str(there), "%C2%B2"):
        for name in ("before", "after"):
            reply = await bot.call("GET", f"{bot.messages}?{name}={anchor}")
            assert (reply.status, reply.code) == (404, "MESSAGE_NOT_FOUND"), anchor


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_a_bot_edits_what_it_said(bot: Bot, method: str) -> None:
    """200 with the message as it is now."""
    number = await bot.post("wrong")
    reply = await bot.call(method, f"{bot.messages}/{number}", b"right")
    assert reply.status == 200 and reply.json["id"] == number
    assert reply.json["body"] == {"plain_text": "right", "html": "<p>right</p>"}
    assert [message["body"]["plain_text"] for message in await bot.list()] == ["right"]
    assert (await bot.call(method, f"{bot.messages}/{number}")).status == 422


async def test_a_bot_deletes_what_it_said(bot: Bot) -> None:
    """204, and 404 from then on."""
    path = f"{bot.messages}/{await bot.post('oops')}"
    assert (await bot.call("DELETE", path)).status == 204
    assert await bot.list() == []
    for method, below in (("DELETE", ""), ("PATCH", ""), ("POST", "/boosts"), ("DELETE", "/boosts/1")):
        assert (await bot.call(method, path + below, b"x")).code == "MESSAGE_NOT_FOUND"


async def test_what_others_said_is_not_the_bots(chat: "Chat", ada: "Client", bot: Bot) -> None:
    """403, and nothing changes."""
    posted = (await ada.post(f"/api/v1/rooms/{chat.first_room}/messages", {"body": "mine"})).json
    for method in ("PATCH", "PUT", "DELETE"):
        reply = await bot.call(method, f"{bot.messages}/{posted['position']}", b"yours")
        assert (reply.status, reply.code) == (403, "PERMISSION_DENIED")
    assert [message["body"]["plain_text"] for message in await bot.list()] == ["mine"]


async def test_a_bot_boosts_and_takes_its_boost_back(chat: "Chat", ada: "Client", bot: Bot) -> None:
    """201 with the boost, 204; somebody else's is theirs."""
    posted = (await ada.post(f"/api/v1/rooms/{chat.first_room}/messages", {"body": "hi"})).json
    path = f"{bot.messages}/{posted['position']}/boosts"
    reply = await bot.call("POST", path, "👍 ok".encode())
    boost = reply.json
    assert reply.status == 201 and isinstance(boost["id"], int) and boost["content"] == "👍 ok"
    assert (boost["booster"]["id"], boost["booster"]["name"], boost["booster"]["role"]) == (bot.number, "Robo", "bot")
    assert boost["message"] == {"id": posted["position"], "url": f"{chat.url}/rooms/{bot.room}/@{posted['position']}"}
    assert boost["created_at"].endswith("Z")
    other = await a_bot(chat, ada, "Other")
    path_of_other = f"{other.messages}/{posted['position']}/boosts/{boost['id']}"
    assert (await other.call("DELETE", path_of_other)).code == "PERMISSION_DENIED"
    elsewhere = f"{bot.messages}/{await bot.post('x')}/boosts/{boost['id']}"
    assert (await bot.call("DELETE", elsewhere)).code == "BOOST_NOT_FOUND"
    assert (await bot.call("DELETE", f"{path}/{boost['id']}")).status == 204
    assert (await bot.call("DELETE", f"{path}/{boost['id']}")).code == "BOOST_NOT_FOUND"
    for wrong in (b"", b"  ", b"x" * 17, b"\xff"):
        assert (await bot.call("POST", path, wrong)).code == "VALIDATION_FAILED"
    assert (await bot.call("POST", f"{bot.messages}/999999/boosts", b"x")).code == "MESSAGE_NOT_FOUND"


async def test_a_room_that_the_bot_is_not_in_is_not_there(chat: "Chat", ada: "Client", bot: Bot) -> None:
    """404 for every call, the same as for a room that does not exist."""
    secret = (await ada.post("/api/v1/rooms", {"name": "Secret", "kind": "closed"})).json
    posted = (await ada.post(f"/api/v1/rooms/{secret['id']}/messages", {"body": "x"})).json["position"]
    for room in (str(secret["number"]), "999999", "0", "9" * 40, "lobby"):
        messages = f"/rooms/{room}/{bot.key}/messages"
        for method, path in (
            ("GET", messages),
            ("POST", messages),
            ("PATCH", f"{messages}/{posted}"),
            ("DELETE", f"{messages}/{posted}"),
            ("POST", f"{messages}/{posted}/boosts"),
            ("DELETE", f"{messages}/{posted}/boosts/1"),
        ):
            reply = await bot.call(method, path, b"" if method == "GET" else b"x")
            assert (reply.status, reply.code) == (404, "ROOM_NOT_FOUND"), (method, path)
    for below in (f"/{posted}", f"/{posted}/boosts"):
        assert (await bot.call("POST" if "boosts" in below else "DELETE", bot.messages + below, b"x")).status == 404


async def test_a_wrong_key_lets_nobody_in(chat: "Chat", ada: "Client", bot: Bot) -> None:
    """401 that says so, whatever is called; also a key that was rotated or whose bot has gone."""
    old = bot.key
    bot.key = (await ada.post(f"/api/v1/bots/{bot.id}/key")).json["key"]
    await bot.post("still here")
    gone = await a_bot(chat, ada, "Gone")
    await ada.delete(f"/api/v1/bots/{gone.id}")
    for key in (old, gone.key, f"{bot.number}-AAAAAAAAAAAA", "1-x", f"{bot.number + 1}-{bot.key[-12:]}"):
        messages = f"/rooms/{bot.room}/{key}/messages"
        for method, path in (("GET", messages), ("POST", messages), ("PUT", f"{messages}/1"), ("GET", f"{messages}/1")):
            reply = await bot.call(method, path, b"" if method == "GET" else b"x")
            assert (reply.status, reply.code) == (401, "AUTHENTICATION_REQUIRED"), (method, path)
            assert key.encode() not in reply.body


async def test_a_key_in_the_address_is_for_messages_only(bot: Bot) -> None:
    """403 for anything else."""
    number = await bot.post("x")
    for method, path in (
        ("GET", f"/rooms/{bot.room}/{bot.key}"),
        ("DELETE", bot.messages),
        ("GET", f"{bot.messages}/{number}"),
        ("POST", f"{bot.messages}/{number}"),
        ("GET", f"{bot.messages}/{number}/boosts"),
        ("PATCH", f"/rooms/{bot.room}/{bot.key}/settings"),
    ):
        reply = await bot.call(method, path)
        assert (reply.status, reply.code) == (403, "PERMISSION_DENIED"), (method, path)
        assert bot.key.encode() not in reply.body


async def test_no_other_way_in_is_looked_at(chat: "Chat", ada: "Client", bot: Bot) -> None:
    """A person's session opens nothing here, and a page of another site does no harm that its owner could not."""
    person = f"Authorization: Bearer {ada.token}"
    wrong = f"/rooms/{bot.room}/1-AAAAAAAAAAAA/messages"
    assert (await bot.call("GET", wrong, b"", person)).status == 401
    assert (await bot.call("GET", wrong, b"", f"Cookie: campfire_session={ada.token}")).status == 401
    await bot.post("hi", "Origin: https://dashboard.example.com")


async def test_an_archived_room_is_read_but_not_written(chat: "Chat", ada: "Client", bot: Bot) -> None:
    """A clear error rather than a message that nobody may write."""
    await bot.post("before")
    assert (await ada.post(f"/api/v1/rooms/{chat.first_room}/archive")).status == 200
    assert (await bot.call("POST", bot.messages, b"after")).code == "ROOM_ARCHIVED"
    assert len(await bot.list()) == 1


async def test_a_large_file_is_refused_before_it_is_read(open_chat: "OpenChat") -> None:
    """413 at the limit that holds for everybody."""
    async with open_chat(upload_limit_mb=1) as chat:
        bot = await a_bot(chat, await chat.set_up(), "Robo")
        body, header = form(('attachment"; filename="big.bin"', b"x" * 1_100_000))
        assert (await bot.call("POST", bot.messages, body, header)).code == "PAYLOAD_TOO_LARGE"
        assert await bot.list() == []


async def test_a_bot_has_an_allowance_of_its_own(open_chat: "OpenChat") -> None:
    """Counted by the bot, however its key is shown, and not against its address."""
    async with open_chat(rate_limit_rpm=20) as chat:
        ada = await chat.set_up()
        bot = await a_bot(chat, ada, "Robo")
        robo = chat.with_token(bot.key)
        for _ in range(10):
            assert (await robo.get("/api/v1/me")).status == 200
            assert (await chat.nobody().get(bot.messages)).status == 200
        assert (await robo.get("/api/v1/me")).status == 429
        assert (await chat.nobody().get(bot.messages)).status == 429
        assert (await chat.nobody().get("/api/v1/welcome")).status == 200


async def test_a_picture_from_a_bots_message_needs_no_signing_in(chat: "Chat", ada: "Client") -> None:
    """Only under the address that the bot was given, and only that person's."""
    bot = await a_bot(chat, ada, "Robo")
    await ada.post(f"/api/v1/rooms/{chat.first_room}/messages", {"body": "hi"})
    [message] = (await chat.nobody().get(bot.messages)).json
    address = message["creator"]["avatar_url"]
    async with aiohttp.ClientSession() as http:
        async with http.get(address) as response:
            assert response.status == 200 and response.content_type == "image/svg+xml"
        async with http.get(address.replace(ada.user["id"], bot.id)) as response:
            assert response.status == 401
        async with http.get(address[:-1] + ("0" if address[-1] != "0" else "1")) as response:
            assert response.status == 401
