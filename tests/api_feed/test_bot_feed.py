"""What a bot sees live, and for how long."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from campfire.domain.bots import decide_deactivate_bot, decide_rotate_bot_key
from campfire.domain.people import decide_remove
from campfire.tokens import new_code, token_hash

if TYPE_CHECKING:
    from tests.api_feed.conftest import Person, Server

SECONDS = 10


@pytest.fixture
async def robo(server: "Server", ada: "Person") -> "Person":
    """A bot."""
    return await server.bot("Robo", by=ada)


async def test_a_bot_is_told_that_it_is_called(server: "Server", ada: "Person", bob: "Person", robo: "Person") -> None:
    """Over every transport, and it alone; also when it was away."""
    room = await ada.room(bob, robo)
    began = server.position
    socket, others = await robo.socket(), await bob.socket()
    async with robo.event_source() as source:
        await source.next()
        polling = asyncio.create_task(robo.poll(server.position, wait=25))
        await server.eventually(lambda: server.hub.connections == 4)
        message = await ada.post(room, "@Robo hello")
        called = await socket.event("bot.called")
        assert (called["data"]["bot_id"], called["data"]["message_id"]) == (robo.id, message.id)
        assert (await source.until(called["position"]))[-1] == called
        async with asyncio.timeout(SECONDS):
            assert (await polling)["events"][-1] == called
    assert (await robo.poll(began))["events"][-1] == called
    await ada.post(room, "bye")
    seen = [await others.event(), await others.event()]
    assert [event["event"] for event in seen] == ["message.posted", "message.posted"]


async def test_a_bot_posts_over_its_socket(server: "Server", ada: "Person", robo: "Person") -> None:
    """And gets its acknowledgement."""
    room = await ada.room(robo)
    ack = await (await robo.socket()).ask(type="post", room_id=room, body="beep")
    assert ack["type"] == "ack" and ack["data"]["author"] == {"id": robo.id, "name": "Robo"}


async def rotate(server: "Server", ada: "Person", robo: "Person") -> None:
    told = {"token_hash": token_hash(new_code()), "sealed_token": "sealed"}
    await server.do(decide_rotate_bot_key, bot_id=robo.id, actor_id=ada.id, **told)


async def deactivate(server: "Server", ada: "Person", robo: "Person") -> None:
    await server.do(decide_deactivate_bot, bot_id=robo.id, actor_id=ada.id)


async def remove(server: "Server", ada: "Person", robo: "Person") -> None:
    await server.do(decide_remove, user_id=robo.id, actor_id=ada.id)


@pytest.mark.parametrize("end", [rotate, deactivate, remove])
async def test_the_end_of_a_key_ends_what_it_opened(
    server: "Server", ada: "Person", robo: "Person", end: Callable[..., Any]
) -> None:
    """At once, on every transport; people's connections go on."""
    socket, kept = await robo.socket(), await ada.socket()
    async with robo.event_source() as source:
        await source.next()
        polling = asyncio.create_task(robo.poll(server.position, wait=25))
        await server.eventually(lambda: server.hub.connections == 4)
        await end(server, ada, robo)
        assert await socket.closed() == 4401
        with pytest.raises(EOFError):
            while True:
                await source.next()
        async with asyncio.timeout(SECONDS):
            await polling
        await server.eventually(lambda: server.hub.connections == 1)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await robo.socket()
    assert refusal.value.status == 401
    room = await ada.room()
    assert (await kept.event("room.created"))["data"]["id"] == room
