"""The server as a process: how it begins, who may ask it what, and how it ends."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

SECONDS = 30
SETUP = {"account": "A", "name": "Ada", "email": "ada@example.com", "password": "correct horse battery"}

Start = Callable[..., Coroutine[Any, Any, "Server"]]


class Server:
    """A `campfire serve` of its own."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, data: Path) -> None:
        self.process = process
        self.url = url
        self.data = data

    async def stopped(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(number)
        async with asyncio.timeout(SECONDS):
            return await self.process.wait()

    def control(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=str(self.data / "campfire.sock")))


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts servers on a free port, without an outbox worker unless asked; stops what is left."""
    processes: list[asyncio.subprocess.Process] = []

    async def start_(*, data: Path | None = None, outbox: str = "external") -> Server:
        data = data or tmp_path / "data"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "campfire.cli",
            "serve",
            "--data",
            str(data),
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--outbox",
            outbox,
            stdout=asyncio.subprocess.PIPE,
            stderr=(tmp_path / f"stderr-{len(processes)}").open("wb"),
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        processes.append(process)
        assert process.stdout is not None
        async with asyncio.timeout(SECONDS):
            line = (await process.stdout.readline()).decode()
        return Server(process, line.split()[-1] if line else "", data)

    yield start_
    for process in processes:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def set_up(server: Server, http: aiohttp.ClientSession) -> tuple[str, dict[str, str]]:
    """The first room's id, and the administrator's headers."""
    async with http.post(f"{server.url}/api/v1/setup", json=SETUP) as response:
        done = await response.json()
    return done["room"]["id"], {"Authorization": f"Bearer {done['token']}"}


async def test_a_running_server_prints_its_url(start: Start) -> None:
    """One line, once it can be used."""
    server = await start()
    async with aiohttp.ClientSession() as http, http.get(f"{server.url}/health/ready") as response:
        assert response.status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stopped_server_ends_well_and_comes_back_with_everything(start: Start, number: signal.Signals) -> None:
    """Exit code 0; what was acknowledged is there after the next start, and sessions go on."""
    server = await start()
    async with aiohttp.ClientSession() as http:
        room_id, ada = await set_up(server, http)
        messages = f"/api/v1/rooms/{room_id}/messages"
        async with http.post(server.url + messages, json={"body": "still here"}, headers=ada) as response:
            assert response.status == 201
        assert await server.stopped(number) == 0
        again = await start()
        async with http.get(again.url + messages, headers=ada) as response:
            assert [message["body"] for message in (await response.json())["messages"]] == ["still here"]


async def test_stopping_closes_sockets_with_the_code_for_a_restart(start: Start) -> None:
    """1012 tells a client to come back, and the server does not wait for it to leave."""
    server = await start()
    async with aiohttp.ClientSession() as http:
        _, ada = await set_up(server, http)
        async with http.ws_connect(f"{server.url}/ws", headers=ada) as socket:
            assert msgspec.json.decode(await socket.receive_str(timeout=SECONDS))
            stopping = asyncio.create_task(server.stopped())
            message = await socket.receive(timeout=SECONDS)
            assert message.type == aiohttp.WSMsgType.CLOSE and message.data == 1012
        assert await stopping == 0


async def test_stopping_does_not_wait_for_long_polls_and_streams(start: Start) -> None:
    """Both end with what they have."""
    server = await start()
    async with aiohttp.ClientSession() as http:
        _, ada = await set_up(server, http)
        stream = await http.get(f"{server.url}/feed", headers={**ada, "Accept": "text/event-stream"})
        await stream.content.readline()
        poll = asyncio.create_task(http.get(f"{server.url}/feed", params={"wait": 25}, headers=ada))
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await server.stopped() == 0
        assert loop.time() - began < 9  # the long poll alone would have taken 25 seconds
        await asyncio.gather(poll, return_exceptions=True)
        stream.close()


async def test_a_second_server_on_the_same_data_says_who_has_it(start: Start, tmp_path: Path) -> None:
    """It exits at once with a sentence that names the first one's pid."""
    first = await start()
    second = await start(data=first.data)
    async with asyncio.timeout(SECONDS):
        assert await second.process.wait() != 0
    said = (tmp_path / "stderr-1").read_text()
    assert str(first.process.pid) in said and "Traceback" not in said


async def test_a_data_directory_with_too_long_a_name_is_refused_in_a_sentence(start: Start, tmp_path: Path) -> None:
    """The system limits the path of a socket; the server says so instead of failing with a traceback."""
    server = await start(data=tmp_path / ("long" * 30))
    async with asyncio.timeout(SECONDS):
        assert await server.process.wait() == 78
    said = (tmp_path / "stderr-0").read_text()
    assert "campfire.sock" in said and "Traceback" not in said


async def test_the_control_socket_is_for_the_owner_of_the_data_alone(start: Start) -> None:
    """Mode 600; it tells how far the log is."""
    server = await start()
    assert stat.S_IMODE((server.data / "campfire.sock").stat().st_mode) == 0o600
    async with server.control() as control, control.get("http://campfire/status") as response:
        status = await response.json()
    assert status["position"] >= 0 and status["epoch"]


async def test_a_replay_that_is_asked_for_twice_is_one(start: Start) -> None:
    """The same request again is answered, and nothing more is recorded."""
    server = await start()
    async with server.control() as control:
        answers = []
        for _ in range(2):
            async with control.post(
                "http://campfire/outbox/requests", json={"type": "replay", "choice": {}, "request_id": "r1"}
            ) as response:
                assert response.status == 200
                answers.append(await response.json())
    assert [answer["duplicate"] for answer in answers] == [False, True]
    assert answers[0]["position"] == answers[1]["position"]


async def test_read_models_are_rebuilt_under_a_running_server(start: Start) -> None:
    """Progress line by line, digests at the end, and the messages are as they were."""
    server = await start()
    async with aiohttp.ClientSession() as http, server.control() as control:
        room_id, ada = await set_up(server, http)
        messages = f"{server.url}/api/v1/rooms/{room_id}/messages"
        async with http.post(messages, json={"body": "kept"}, headers=ada) as response:
            assert response.status == 201
        async with control.post("http://campfire/rebuild") as response:
            lines = [msgspec.json.decode(line) async for line in response.content]
        assert lines[-1]["done"] is True and "messages" in lines[-1]["digests"]
        async with http.get(messages, headers=ada) as response:
            assert [message["body"] for message in (await response.json())["messages"]] == ["kept"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"type": "replay"}', b'{"type": "no such"}'])
async def test_a_malformed_order_is_a_problem_not_a_failure(start: Start, body: bytes) -> None:
    """4xx, as over HTTP."""
    server = await start()
    async with server.control() as control, control.post("http://campfire/outbox/requests", data=body) as response:
        assert 400 <= response.status < 500 and (await response.json(content_type=None))["code"]
