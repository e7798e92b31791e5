"""How far what is posted is from what people did, as whoever acts on a delivery says."""

from typing import TYPE_CHECKING, Any

import pytest

from campfire.domain.events import BoostAdded, BotCalled, Event, MessageEdited, MessagePosted

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client


@pytest.fixture
def hops(chat: "Chat") -> list[tuple[type[Event], int]]:
    """Of every event that keeps them, in order."""
    kept: list[tuple[type[Event], int]] = []
    chat.engine.subscribers.append(
        lambda batch: kept.extend(
            (type(each.event), each.event.hops)
            for each in batch.events
            if isinstance(each.event, MessagePosted | MessageEdited | BoostAdded | BotCalled)
        )
    )
    return kept


async def a_bot(ada: "Client") -> Any:
    reply = await ada.post("/api/v1/bots", {"name": "Deployer", "webhook_url": "https://bots.example.com/"})
    assert reply.status == 201, reply.text
    return reply.json


async def test_messages_edits_boosts_and_calls_keep_them(
    chat: "Chat", ada: "Client", hops: list[tuple[type[Event], int]]
) -> None:
    """Whatever a receiver may answer a delivery with."""
    await a_bot(ada)
    said: Any = {"headers": {"campfire-hops": "2"}}
    posted = await ada.post(f"/api/v1/rooms/{chat.first_room}/messages", {"body": "@Deployer go"}, **said)
    message = f"/api/v1/messages/{posted.json['id']}"
    assert (await ada.patch(message, {"body": "@Deployer stop"}, **said)).status == 200
    assert (await ada.post(f"{message}/boosts", {"content": "+1"}, **said)).status == 201
    assert hops == [(MessagePosted, 2), (BotCalled, 2), (MessageEdited, 2), (BoostAdded, 2)]


async def test_a_member_cannot_hide_from_webhooks(
    ada: "Client", bob: "Client", chat: "Chat", hops: list[tuple[type[Event], int]]
) -> None:
    """What a person says is told to webhooks, however far it is said to be; bots and administrators are believed."""
    for person in (bob, ada):
        said: Any = {"headers": {"campfire-hops": "100"}}
        posted = await person.post(f"/api/v1/rooms/{chat.first_room}/messages", {"body": "x"}, **said)
        assert posted.status == 201, posted.text
    assert hops == [(MessagePosted, 3), (MessagePosted, 100)]


async def test_the_bot_api_of_once_keeps_them_too(
    chat: "Chat", ada: "Client", hops: list[tuple[type[Event], int]]
) -> None:
    """By the key in the address."""
    bot = await a_bot(ada)
    number = (await ada.get(f"/api/v1/rooms/{chat.first_room}")).json["number"]
    path = f"/rooms/{number}/{bot['key']}/messages"
    said: Any = {"headers": {"campfire-hops": "1", "Content-Type": "text/plain"}}
    reply = await chat.nobody().post(path, b"done", **said)
    message = f"{path}/{reply.headers['Location'].rpartition('/')[2]}"
    assert (await chat.nobody().patch(message, b"done now", **said)).status == 200
    assert (await chat.nobody().post(f"{message}/boosts", b"+1", **said)).status == 201
    assert hops == [(MessagePosted, 1), (MessageEdited, 1), (BoostAdded, 1)]


async def test_without_them_it_is_what_people_did(
    chat: "Chat", ada: "Client", hops: list[tuple[type[Event], int]]
) -> None:
    """As for everybody but receivers of deliveries."""
    await ada.post(f"/api/v1/rooms/{chat.first_room}/messages", {"body": "Hello"})
    assert hops == [(MessagePosted, 0)]


@pytest.mark.parametrize("text", ["0", "-1", "101", "1.5", "many", "", "1000", "²"])
async def test_what_is_no_number_from_1_to_100_is_refused(
    chat: "Chat", ada: "Client", text: str, hops: list[tuple[type[Event], int]]
) -> None:
    """To take it for nothing would let a loop go on that somebody meant to end."""
    reply = await ada.post(
        f"/api/v1/rooms/{chat.first_room}/messages", {"body": "Hello"}, headers={"campfire-hops": text}
    )
    assert reply.code == "VALIDATION_FAILED" and reply.json["errors"][0]["field"] == "campfire-hops"
    assert hops == []
