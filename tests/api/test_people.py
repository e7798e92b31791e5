"""Profiles, roles, addresses, passwords, and how people go."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from campfire.domain.events import MessageDeleted
from campfire.housekeeping.remover import Remover

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client

PASSWORD = "correct horse battery"
DAY = 86_400


async def said(client: "Client", room_id: str, body: str) -> str:
    reply = await client.post(f"/api/v1/rooms/{room_id}/messages", {"body": body})
    assert reply.status == 201, reply.text
    return str(reply.json["id"])


async def bodies(client: "Client", room_id: str) -> list[str]:
    return [each["body"] for each in (await client.get(f"/api/v1/rooms/{room_id}/messages")).json["messages"]]


async def sign_in(chat: "Chat", email: str, password: str = PASSWORD) -> int:
    return (await chat.nobody().post("/api/v1/sessions", {"email": email, "password": password})).status


async def test_a_profile_is_shown_to_everybody(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """The name everywhere at once, also on what was said before."""
    await said(bob, chat.first_room, "hello")
    changed = await bob.patch("/api/v1/me", {"name": "Robert", "bio": "keeps the lights on"})
    assert changed.status == 200 and changed.json["name"] == "Robert"
    seen = (await ada.get(f"/api/v1/users/{bob.user['id']}")).json
    assert (seen["name"], seen["bio"], seen["status"]) == ("Robert", "keeps the lights on", "active")
    messages = (await ada.get(f"/api/v1/rooms/{chat.first_room}/messages")).json["messages"]
    assert messages[-1]["author"]["name"] == "Robert"


async def test_everybody_and_every_room_has_a_short_number(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Other than anybody else's, and the same for ever."""
    numbers = [each["number"] for each in (await ada.get("/api/v1/users")).json["users"]]
    rooms = [each["number"] for each in (await ada.get("/api/v1/rooms")).json["rooms"]]
    assert len({*numbers, *rooms}) == 3 and all(isinstance(each, int) for each in numbers + rooms)
    await bob.patch("/api/v1/me", {"name": "Robert"})
    assert (await ada.get(f"/api/v1/users/{bob.user['id']}")).json["number"] == bob.user["number"]


async def test_a_password_is_changed_by_who_knows_it(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """It ends the other sessions, not the one that asks."""
    other = await chat.nobody().post("/api/v1/sessions", {"email": "bob@example.com", "password": PASSWORD})
    wrong = await bob.put("/api/v1/me/password", {"current": "guess", "new": "another good one"})
    assert (wrong.status, wrong.code) == (401, "INVALID_CREDENTIALS")
    done = await bob.put("/api/v1/me/password", {"current": PASSWORD, "new": "another good one"})
    assert done.status == 204
    assert (await chat.with_token(other.json["token"]).get("/api/v1/me")).code == "SESSION_EXPIRED"
    assert (await bob.get("/api/v1/me")).status == 200
    assert await sign_in(chat, "bob@example.com") == 401
    assert await sign_in(chat, "bob@example.com", "another good one") == 201


async def test_guessing_the_present_password_is_slow(chat: "Chat", ada: "Client") -> None:
    """For somebody who found an open browser."""
    for _ in range(10):
        await ada.put("/api/v1/me/password", {"current": "guess", "new": "another good one"})
    refused = await ada.put("/api/v1/me/password", {"current": PASSWORD, "new": "another good one"})
    assert (refused.status, refused.code) == (429, "RATE_LIMIT_EXCEEDED")


async def test_an_address_is_changed_with_the_password(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """One signs in with the new one, and the old one is free."""
    taken = await bob.put("/api/v1/me/email", {"email": "ada@example.com", "password": PASSWORD})
    assert (taken.status, taken.code) == (409, "EMAIL_TAKEN")
    done = await bob.put("/api/v1/me/email", {"email": "robert@example.com", "password": PASSWORD})
    assert done.json["email"] == "robert@example.com"
    assert [await sign_in(chat, f"{name}@example.com") for name in ("bob", "robert")] == [401, 201]


async def test_another_device_signs_in_by_a_link(chat: "Chat", ada: "Client") -> None:
    """The link is shown as text and as a QR code, works once, and is nowhere in the log."""
    made = await ada.post("/api/v1/me/transfers")
    assert made.status == 201 and made.json["url"].endswith(f"/session/transfer/{made.json['token']}")
    assert made.json["qr"].startswith("<svg") and "script" not in made.json["qr"]
    used = await chat.nobody().post(f"/api/v1/transfers/{made.json['token']}")
    assert used.status == 201 and used.json["user"]["id"] == ada.user["id"]
    assert (await chat.with_token(used.json["token"]).get("/api/v1/me")).status == 200
    again = await chat.nobody().post(f"/api/v1/transfers/{made.json['token']}")
    assert (again.status, again.code) == (404, "SIGN_IN_LINK_INVALID")
    assert made.json["token"].encode() not in chat.engine.settings.events_path.read_bytes()


async def test_one_link_used_twice_at_once_signs_in_once(chat: "Chat", ada: "Client") -> None:
    """Whoever was faster; the log itself decides."""
    token = (await ada.post("/api/v1/me/transfers")).json["token"]
    replies = await asyncio.gather(*(chat.nobody().post(f"/api/v1/transfers/{token}") for _ in range(5)))
    assert sorted(reply.status for reply in replies) == [201, 404, 404, 404, 404]


async def test_a_forgotten_password_is_reset_by_a_link(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """An administrator hands it on; it ends all sessions; it works once and for a day."""
    path = f"/api/v1/users/{bob.user['id']}/password-resets"
    refused = await bob.post(f"/api/v1/users/{ada.user['id']}/password-resets")
    assert (refused.status, refused.code) == (403, "PERMISSION_DENIED")
    late = (await ada.post(path)).json["token"]
    chat.clock.advance(DAY)
    reply = await chat.nobody().post(f"/api/v1/password-resets/{late}", {"password": "another good one"})
    assert (reply.status, reply.code) == (404, "SIGN_IN_LINK_INVALID")
    token = (await ada.post(path)).json["token"]
    used = await chat.nobody().post(f"/api/v1/password-resets/{token}", {"password": "another good one"})
    assert used.status == 201 and used.json["user"]["id"] == bob.user["id"]
    assert (await bob.get("/api/v1/me")).code == "SESSION_EXPIRED"
    assert await sign_in(chat, "bob@example.com", "another good one") == 201
    again = await chat.nobody().post(f"/api/v1/password-resets/{token}", {"password": "yet another one"})
    assert again.code == "SIGN_IN_LINK_INVALID"


async def test_administrators_give_and_take_roles(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """But never the last one's."""
    path = f"/api/v1/users/{bob.user['id']}"
    assert (await bob.patch(path, {"role": "administrator"})).code == "PERMISSION_DENIED"
    assert (await ada.patch(path, {"role": "administrator"})).json["role"] == "administrator"
    mine = f"/api/v1/users/{ada.user['id']}"
    assert (await bob.patch(mine, {"role": "member"})).json["role"] == "member"
    last = await bob.patch(path, {"role": "member"})
    assert (last.status, last.code) == (403, "PERMISSION_DENIED")


async def test_whoever_is_deactivated_is_out_at_once(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Their socket closes, they cannot sign in, what they said stays, and they may come back."""
    await said(bob, chat.first_room, "I was here")
    headers = {"Authorization": f"Bearer {bob.token}"}
    async with chat.http.ws_connect(f"{chat.url}/ws", headers=headers) as socket:
        assert (await ada.delete(f"/api/v1/users/{bob.user['id']}")).status == 204
        async with asyncio.timeout(10):
            async for _ in socket:
                pass
        assert socket.close_code == 4401
    assert (await bob.get("/api/v1/me")).code == "SESSION_EXPIRED"
    assert await sign_in(chat, "bob@example.com") == 401
    assert await bodies(ada, chat.first_room) == ["I was here"]
    assert (await ada.put(f"/api/v1/users/{bob.user['id']}/active")).status == 204
    assert await sign_in(chat, "bob@example.com") == 201


async def test_people_may_go_by_themselves(chat: "Chat", ada: "Client", bob: "Client", eve: "Client") -> None:
    """And take nobody with them."""
    assert (await bob.delete(f"/api/v1/users/{eve.user['id']}")).code == "PERMISSION_DENIED"
    assert (await bob.delete(f"/api/v1/users/{bob.user['id']}?messages=burn")).code == "VALIDATION_FAILED"
    assert (await bob.delete(f"/api/v1/users/{bob.user['id']}")).status == 204


async def until_removed(chat: "Chat", user_id: str) -> None:
    async with asyncio.timeout(30):
        while chat.engine.directory.users[user_id].must_lose_messages:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["ban", "remove"])
async def test_what_a_banned_or_removed_person_said_goes(chat: "Chat", ada: "Client", bob: "Client", how: str) -> None:
    """In every room, and out of search too; what others said stays."""
    for number in range(3):
        await said(bob, chat.first_room, f"buy now {number}")
    await said(ada, chat.first_room, "do not buy")
    if how == "ban":
        assert (await ada.put(f"/api/v1/users/{bob.user['id']}/ban")).status == 204
    else:
        assert (await ada.delete(f"/api/v1/users/{bob.user['id']}?messages=remove")).status == 204
    assert (await bob.get("/api/v1/me")).code == "SESSION_EXPIRED"
    await until_removed(chat, bob.user["id"])
    assert await bodies(ada, chat.first_room) == ["do not buy"]
    found = (await ada.get("/api/v1/search?q=buy")).json["messages"]
    assert [each["body"] for each in found] == ["do not buy"]
    names = [each["name"] for each in (await ada.get("/api/v1/users")).json["users"]]
    assert names == (["Ada", "Bob"] if how == "ban" else ["Ada"])


async def test_from_a_banned_address_nothing_can_be_changed(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Reading is no change; lifting the ban opens it again."""
    chat.engine.directory.ban_addresses(["127.0.0.1"], "somebody")
    refused = await ada.post("/api/v1/rooms", {"name": "x"})
    assert (refused.status, refused.code) == (429, "ADDRESS_BANNED")
    assert await sign_in(chat, "ada@example.com") == 429
    assert (await ada.get("/api/v1/me")).status == 200
    chat.engine.directory.lift_ban("somebody")
    assert (await ada.post("/api/v1/rooms", {"name": "x"})).status == 201


async def test_an_administrator_ends_all_sessions_of_somebody(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """As for a stolen telephone whose owner is away."""
    path = f"/api/v1/users/{bob.user['id']}/sessions"
    assert (await bob.delete(f"/api/v1/users/{ada.user['id']}/sessions")).code == "PERMISSION_DENIED"
    assert (await ada.delete(path)).status == 204
    assert (await bob.get("/api/v1/me")).code == "SESSION_EXPIRED"


async def test_the_invitation_can_be_made_another(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """The old one is worth nothing from then on."""
    assert (await bob.post("/api/v1/account/join-code")).code == "PERMISSION_DENIED"
    assert (await chat.nobody().get(f"/api/v1/join/{chat.join_code}")).json == {"account": "Engine Room"}
    old, made = chat.join_code, await ada.post("/api/v1/account/join-code")
    assert made.status == 201 and made.json["join_code"] != old
    assert (await chat.nobody().get(f"/api/v1/join/{old}")).code == "JOIN_CODE_INVALID"
    chat.join_code = made.json["join_code"]
    assert (await chat.joined("Eve")).user["name"] == "Eve"


async def test_administrators_change_the_account(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """What is left out stays; what somebody who is not signed in may know of it is its name."""
    wanted = {"name": "Boiler Room", "custom_styles": "body { color: teal }", "retention_days": 30}
    changed = (await ada.patch("/api/v1/account", wanted)).json
    assert {name: changed[name] for name in wanted} == wanted
    assert (await ada.patch("/api/v1/account", {"retention_days": 0})).json["name"] == "Boiler Room"
    assert (await bob.patch("/api/v1/account", {"name": "Mine"})).code == "PERMISSION_DENIED"
    styles = await chat.nobody().get("/api/v1/account/styles.css")
    assert (styles.text, styles.headers["Content-Type"]) == (wanted["custom_styles"], "text/css; charset=utf-8")
    assert (await chat.nobody().get("/api/v1/welcome")).json == {
        "set_up": True,
        "name": "Boiler Room",
        "logo_url": None,
    }


async def test_a_new_server_says_that_it_waits_to_be_set_up(chat: "Chat") -> None:
    """So that the first visitor is led there."""
    assert (await chat.nobody().get("/api/v1/welcome")).json == {"set_up": False, "name": None, "logo_url": None}


async def test_messages_go_when_their_time_has_come(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Pinned ones stay; nothing goes while messages are kept for ever."""
    pinned = await said(ada, chat.first_room, "the rules")
    await ada.put(f"/api/v1/messages/{pinned}/pin")
    await said(ada, chat.first_room, "old")
    chat.clock.advance(20 * DAY)
    await said(ada, chat.first_room, "young")
    await Remover(chat.engine).look()
    assert await bodies(ada, chat.first_room) == ["the rules", "old", "young"]
    await ada.patch("/api/v1/account", {"retention_days": 10})
    async with asyncio.timeout(30):
        while await bodies(ada, chat.first_room) != ["the rules", "young"]:
            await asyncio.sleep(0.01)


async def test_a_deleted_room_goes_with_everything_said_there(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """Its members are told, and nothing of it can be found."""
    room_id = (await bob.post("/api/v1/rooms", {"name": "Lab", "kind": "closed", "members": [ada.user["id"]]})).json[
        "id"
    ]
    for number in range(250):
        await said(bob, room_id, f"experiment {number}")
    other = await chat.joined("Eve")
    assert (await other.delete(f"/api/v1/rooms/{room_id}")).code == "ROOM_ACCESS_DENIED"
    before = chat.engine.position
    assert (await bob.delete(f"/api/v1/rooms/{room_id}")).status == 204
    assert (await ada.get(f"/api/v1/rooms/{room_id}")).code == "ROOM_NOT_FOUND"
    assert [room["name"] for room in (await ada.get("/api/v1/rooms")).json["rooms"]] == ["All Talk"]
    async with asyncio.timeout(30):
        while not chat.engine.directory.rooms[room_id].emptied:
            await asyncio.sleep(0.01)
    events = [recorded.event for recorded in chat.engine.reader.read(0)]
    deleted = [event for event in events if isinstance(event, MessageDeleted)]
    assert len(deleted) == 250 and {event.reason for event in deleted} == {"room_deleted"}
    feed = (await ada.get(f"/feed?since={before}&epoch={chat.engine.epoch}")).json["events"]
    assert [each["data"]["user_id"] for each in feed if each["event"] == "member.removed"] == [ada.user["id"]]


@pytest.mark.parametrize("how", ["demoted", "deactivated"])
async def test_two_administrators_cannot_leave_nobody_to_administer(
    chat: "Chat", ada: "Client", bob: "Client", how: str
) -> None:
    """Although each of them, at the same moment, sees the other one staying."""
    users = [f"/api/v1/users/{client.user['id']}" for client in (ada, bob)]
    assert (await ada.patch(users[1], {"role": "administrator"})).status == 200
    if how == "demoted":
        replies = await asyncio.gather(
            *(client.patch(user, {"role": "member"}) for client, user in zip((ada, bob), reversed(users), strict=True))
        )
    else:
        replies = await asyncio.gather(*(client.delete(user) for client, user in zip((ada, bob), users, strict=True)))
    assert sorted(reply.status < 300 for reply in replies) == [False, True]
    people = chat.engine.directory.users.values()
    assert [person.role for person in people if person.active].count("administrator") == 1


@pytest.mark.parametrize("how", ["password", "others", "one", "administrator", "ban"])
async def test_a_link_made_by_who_is_shut_out_is_no_way_back(
    chat: "Chat", ada: "Client", bob: "Client", how: str
) -> None:
    """A thief with a moment at somebody's browser can make links for later."""
    email = {"email": "bob@example.com", "password": PASSWORD}
    thief = chat.with_token((await chat.nobody().post("/api/v1/sessions", email)).json["token"])
    token = (await thief.post("/api/v1/me/transfers")).json["token"]
    user = f"/api/v1/users/{bob.user['id']}"
    if how == "password":
        done = await bob.put("/api/v1/me/password", {"current": PASSWORD, "new": "another good one"})
    elif how == "others":
        done = await bob.delete("/api/v1/sessions")
    elif how == "one":
        theirs = next(each for each in (await thief.get("/api/v1/sessions")).json["sessions"] if each["current"])
        done = await bob.delete(f"/api/v1/sessions/{theirs['id']}")
    elif how == "administrator":
        done = await ada.delete(f"{user}/sessions")
    else:
        await ada.put(f"{user}/ban")
        done = await ada.put(f"{user}/active")
    assert done.status == 204
    assert (await chat.nobody().post(f"/api/v1/transfers/{token}")).code == "SIGN_IN_LINK_INVALID"
