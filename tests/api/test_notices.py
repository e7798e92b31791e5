"""What the server says to its administrators, and where."""

import asyncio
from typing import TYPE_CHECKING, Any

from campfire import notices
from campfire.domain import ids
from campfire.domain.errors import RoomBeingDeleted
from campfire.domain.events import BotCalled
from campfire.engine import Engine

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client, OpenChat

ROOM = f"/api/v1/rooms/{ids.ADMINISTRATORS_ROOM}"


async def bodies(client: "Client") -> list[str]:
    reply = await client.get(f"{ROOM}/messages")
    assert reply.status == 200, reply.text
    return [message["body"] for message in reply.json["messages"]]


async def people_in_the_room(client: "Client") -> set[str]:
    reply = await client.get(ROOM)
    assert reply.status == 200, reply.text
    return set(reply.json["members"])


async def give_role(ada: "Client", somebody: "Client", role: str) -> None:
    reply = await ada.patch(f"/api/v1/users/{somebody.user['id']}", {"role": role})
    assert reply.status < 300, reply.text


async def posted(engine: Engine, text: str, client_message_id: str) -> bool:
    """False while what was said in the room's last life is still there."""
    try:
        await notices.post(engine, text, client_message_id)
    except RoomBeingDeleted:
        return False
    return True


async def test_a_notice_is_a_message_in_a_room_of_the_administrators(
    chat: "Chat", ada: "Client", bob: "Client"
) -> None:
    """The room makes itself; administrators read it, and members are told neither of it nor what it says."""
    message_id = await notices.post(chat.engine, "The cellar is under water.", "n1")
    room = (await ada.get(ROOM)).json
    assert (room["name"], room["kind"]) == ("Administrators", "closed")
    [message] = (await ada.get(f"{ROOM}/messages")).json["messages"]
    assert (message["id"], message["body"], message["author"]["name"]) == (
        message_id,
        "The cellar is under water.",
        "Campfire",
    )
    assert await people_in_the_room(ada) == {ada.user["id"], ids.NOTICES_BOT}
    assert (await bob.get(f"{ROOM}/messages")).code == "ROOM_ACCESS_DENIED"
    assert ids.ADMINISTRATORS_ROOM not in (await bob.get("/api/v1/rooms")).text


async def test_the_same_notice_is_said_once(chat: "Chat", ada: "Client") -> None:
    """Also if it was deleted meanwhile, and in other words."""
    first = await notices.post(chat.engine, "Look.", "n1")
    assert await notices.post(chat.engine, "Look!", "n1") == first
    assert await bodies(ada) == ["Look."]
    await ada.delete(f"/api/v1/messages/{first}")
    await notices.post(chat.engine, "Look.", "n1")
    assert await bodies(ada) == []


async def test_whoever_administers_is_in_the_room_at_the_next_notice(
    chat: "Chat", ada: "Client", bob: "Client", eve: "Client"
) -> None:
    """New administrators come in, those who are none any more go, and whoever was let in beside them too."""
    await notices.post(chat.engine, "one", "n1")
    await give_role(ada, bob, "administrator")
    await ada.post(f"{ROOM}/members", {"user_id": eve.user["id"]})
    await notices.post(chat.engine, "two", "n2")
    assert await people_in_the_room(bob) == {ada.user["id"], bob.user["id"], ids.NOTICES_BOT}
    await give_role(ada, bob, "member")
    await notices.post(chat.engine, "three", "n3")
    assert await people_in_the_room(ada) == {ada.user["id"], ids.NOTICES_BOT}


async def test_the_room_is_found_again_after_a_restart(open_chat: "OpenChat") -> None:
    """And under the name that the administrators gave it."""
    async with open_chat() as chat:
        ada = await chat.set_up()
        await notices.post(chat.engine, "before", "n1")
        assert (await ada.patch(ROOM, {"name": "Alarms"})).status == 200
        token = ada.token
    async with open_chat() as chat:
        await notices.post(chat.engine, "after", "n2")
        ada = chat.with_token(token or "")
        assert await bodies(ada) == ["before", "after"]
        assert (await ada.get(ROOM)).json["name"] == "Alarms"


async def test_an_archived_or_opened_room_is_put_right(chat: "Chat", ada: "Client", bob: "Client") -> None:
    """A notice is for administrators alone, and is said whatever became of the room."""
    await notices.post(chat.engine, "one", "n1")
    assert (await ada.patch(ROOM, {"kind": "open"})).status == 200
    assert (await bob.get(f"{ROOM}/messages")).status == 200
    assert (await ada.post(f"{ROOM}/archive")).status < 300
    await notices.post(chat.engine, "two", "n2")
    assert await bodies(ada) == ["one", "two"]
    assert (await bob.get(f"{ROOM}/messages")).code == "ROOM_ACCESS_DENIED"


async def test_a_deleted_room_is_made_anew(chat: "Chat", ada: "Client") -> None:
    """As soon as what was said in it is gone; until then whoever has something to say is told to try again."""
    await notices.post(chat.engine, "one", "n1")
    assert (await ada.delete(ROOM)).status == 204
    async with asyncio.timeout(30):
        while not await posted(chat.engine, "two", "n2"):
            await asyncio.sleep(0.01)
    assert await bodies(ada) == ["two"]


async def test_the_bot_that_speaks_for_the_server_is_nobodys(chat: "Chat", ada: "Client") -> None:
    """It has no key, is called by nothing, is in no other room, and cannot be taken away."""
    await notices.post(chat.engine, "one", "n1")
    calls: list[Any] = []
    chat.engine.subscribers.append(
        lambda batch: calls.extend(each.event for each in batch.events if isinstance(each.event, BotCalled))
    )
    await ada.post(f"{ROOM}/messages", {"body": "@Campfire are you there?"})
    await notices.post(chat.engine, "@Campfire two", "n2")
    assert calls == []
    made = await ada.post("/api/v1/rooms", {"name": "Another", "kind": "open"})
    assert made.status == 201
    assert made.json["members"] == [ada.user["id"]]
    assert (await ada.post(f"/api/v1/bots/{ids.NOTICES_BOT}/key")).code == "USER_NOT_FOUND"
    reply = await ada.delete(f"/api/v1/users/{ids.NOTICES_BOT}")
    assert reply.code == "PERMISSION_DENIED"


async def test_a_long_notice_is_cut(chat: "Chat", ada: "Client") -> None:
    """Better than none."""
    await notices.post(chat.engine, "x" * 20_000, "n1")
    assert await bodies(ada) == ["x" * 10_000]
