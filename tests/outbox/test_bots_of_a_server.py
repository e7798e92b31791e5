"""A whole server with its worker, as a team and its bots meet it: over HTTP, through a crash."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from faults_support.server_process import ServerProcess
from outbox_support.bots import BotChat
from outbox_support.chat import Chat
from outbox_support.sink import Sink

from campfire.domain.accounts import NewSession, session_started
from campfire.tokens import token_hash

SESSION = "the session token of a test"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "data", CAMPFIRE_OUTBOX="embedded", CAMPFIRE_WEBHOOK_ALLOW="127.0.0.0/8")
    yield process
    process.end()


@pytest.fixture
async def room_path(chat: Chat, sink: Sink) -> str:
    """Where Ann posts to the room that she shares with Deployer. The data directory is free."""
    bots = BotChat(chat)
    await bots.add_bot("Deployer", sink.url, "deploy")
    engine = chat.engine
    session = NewSession(session_id=engine.new_id(), token_hash=token_hash(SESSION), expires_at=1 << 50)
    await engine.append([session_started(session, chat.user_id, 1)])
    await chat.close()
    return f"/api/v1/rooms/{chat.room_id}/messages"


async def post(server: ServerProcess, path: str, body: str) -> None:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {SESSION}"}) as http,
        http.post(server.url + path, json={"body": body}) as response,
    ):
        assert response.status == 201, await response.text()


async def bodies(server: ServerProcess, path: str, count: int) -> list[str]:
    """Wait until the room has so many messages; return what they say, oldest first."""
    async with asyncio.timeout(60), aiohttp.ClientSession(headers={"Authorization": f"Bearer {SESSION}"}) as http:
        while True:
            async with http.get(server.url + path) as response:
                said = [message["body"] for message in (await response.json())["messages"]]
            if len(said) >= count:
                return said
            await asyncio.sleep(0.02)


async def test_a_slash_command_is_answered_in_the_room(server: ServerProcess, sink: Sink, room_path: str) -> None:
    """Nobody has to set up anything but the bot."""

    async def deploy(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="Deployed to staging")

    sink.answer = deploy
    await asyncio.to_thread(server.start)
    await post(server, room_path, "/deploy staging")
    assert await bodies(server, room_path, 2) == ["/deploy staging", "Deployed to staging"]


async def test_a_bot_can_answer_later_at_the_address_that_it_was_told(
    server: ServerProcess, sink: Sink, room_path: str
) -> None:
    """By ONCE Campfire's bot API; and what it was told of the message leads there."""

    async def say_nothing(_request: web.Request) -> web.StreamResponse:
        return web.Response()

    sink.answer = say_nothing
    await asyncio.to_thread(server.start)
    await post(server, room_path, "@Deployer take your time")
    await sink.until(1)
    told = json.loads(sink.received[0].body)
    async with aiohttp.ClientSession() as http:
        async with http.post(server.url + told["room"]["path"], data="It took a while") as response:
            assert response.status == 201, await response.text()
        async with http.get(server.url + told["room"]["path"]) as response:
            said = await response.json()
    assert await bodies(server, room_path, 2) == ["@Deployer take your time", "It took a while"]
    assert said[0]["id"] == told["message"]["id"] and said[0]["creator"]["id"] == told["user"]["id"]


async def test_an_answer_that_comes_while_the_server_is_dead_is_said_once_it_is_back(
    server: ServerProcess, sink: Sink, room_path: str
) -> None:
    """Once: the worker finished what it was sending, and the next one handed it over."""

    async def outlive(_request: web.Request) -> web.StreamResponse:
        os.kill(server.pid, signal.SIGKILL)  # and not `server.kill`, which waits for the worker, which waits for us
        sink.answer = plainly
        return web.Response(text="Done, in spite of all")

    async def plainly(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="And again")

    sink.answer = outlive
    await asyncio.to_thread(server.start)
    await post(server, room_path, "@Deployer go")
    await sink.until(1)
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    assert (await bodies(server, room_path, 2))[1] == "Done, in spite of all"
    await post(server, room_path, "@Deployer again")
    assert (await bodies(server, room_path, 4))[1:] == ["Done, in spite of all", "@Deployer again", "And again"]
