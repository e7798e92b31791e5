"""What the server does as a process: alone on its data, on a full disk, told to stop, after a crash."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
from faults_support.history import violations
from faults_support.load import PASSWORD, Crowd
from faults_support.server_process import ServerProcess

from campfire.config import Settings
from campfire.engine import Engine

FULL_DISK = Path(__file__).with_name("full_disk_server.py")


async def found(session: aiohttp.ClientSession, server: ServerProcess) -> tuple[dict[str, str], str]:
    """Set the server up; return the headers of its administrator and the first room."""
    wanted = {"account": "Acme", "name": "Ann", "email": "ann@example.com", "password": PASSWORD}
    async with session.post(server.url + "/api/v1/setup", json=wanted) as response:
        done = await response.json()
    return {"Authorization": f"Bearer {done['token']}"}, done["room"]["id"]


async def next_read_only(
    session: aiohttp.ClientSession, server: ServerProcess, headers: dict[str, str]
) -> dict[str, Any]:
    """The next status frame that says that nothing can be sent."""
    async with session.ws_connect(server.url + "/ws", headers=headers) as socket:
        async for raw in socket:
            frame = raw.json()
            if frame["type"] == "status" and frame.get("read_only"):
                return dict(frame)
    raise AssertionError("the socket closed without a word")


async def test_a_second_server_on_the_same_data_ends_at_once(server: ServerProcess) -> None:
    """It says who has the directory, and changes nothing."""
    await asyncio.to_thread(server.start)
    second = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "campfire.cli", "serve", "--data", str(server.data), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert second.returncode == 4
    assert f"pid {server.pid}" in second.stderr and "Traceback" not in second.stderr
    async with aiohttp.ClientSession() as session, session.get(server.url + "/health/live") as response:
        assert response.status == 200


async def test_every_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """Also in a directory that was made by somebody else and is open to all."""
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    server = ServerProcess(data, CAMPFIRE_OUTBOX="embedded")
    try:
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(60):
            while not (data / "outbox.db-wal").exists():
                await asyncio.sleep(0.02)
        for path in data.iterdir():
            assert path.stat().st_mode & 0o077 == 0, path
    finally:
        server.end()


async def test_a_killed_server_leaves_no_lock_behind(server: ServerProcess) -> None:
    """The next one starts without anybody's help."""
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)


async def test_a_full_disk_stops_sending_but_not_reading_and_heals(tmp_path: Path) -> None:
    """503 with a code and Retry-After; reading, search and the feed go on; no restart is needed."""
    server = ServerProcess(tmp_path / "data", entry=FULL_DISK)
    full = tmp_path / "disk-is-full"
    await asyncio.to_thread(server.start)
    try:
        async with aiohttp.ClientSession() as session:
            headers, room = await found(session, server)
            messages = f"{server.url}/api/v1/rooms/{room}/messages"

            async def post(body: str) -> tuple[int, Any, str | None]:
                async with session.post(messages, json={"body": body}, headers=headers) as response:
                    return response.status, await response.json(content_type=None), response.headers.get("Retry-After")

            assert (await post("before"))[0] == 201
            told = asyncio.create_task(next_read_only(session, server, headers))
            full.touch()
            status, problem, retry_after = 201, {}, None
            async with asyncio.timeout(30):
                while status == 201:
                    status, problem, retry_after = await post("x" * 9_000)
            assert (status, problem["code"], problem["retryable"]) == (503, "DISK_FULL", True)
            assert (await told)["code"] == "DISK_FULL"
            assert retry_after is not None and int(retry_after) > 0
            async with session.get(f"{server.url}/api/v1/search?q=before", headers=headers) as response:
                assert [each["body"] for each in (await response.json())["messages"]] == ["before"]
            async with session.get(f"{server.url}/feed?since=0", headers=headers) as response:
                assert (await response.json())["events"]
            async with session.get(f"{server.url}/health") as response:
                health = await response.json()
                assert health["status"] == "unavailable" and "DISK_FULL" in health["checks"]["log"]["detail"]
            full.unlink()
            async with asyncio.timeout(30):
                while not (await (await session.get(f"{server.url}/health")).json())["checks"]["log"]["ok"]:
                    await asyncio.sleep(0.02)
            assert (await post("after"))[0] == 201
    finally:
        server.end()


async def test_a_server_told_to_stop_under_load_loses_nothing(server: ServerProcess) -> None:
    """SIGTERM ends it with exit code 0; sockets are closed with 1012; what was acknowledged is there."""
    await asyncio.to_thread(server.start)
    crowd = Crowd(server, senders=32)
    await crowd.gather_round()
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.url + "/ws", headers=crowd.people[0].headers) as socket,
    ):
        await crowd.talk()
        await crowd.until_acknowledged(200)
        stopped = asyncio.create_task(asyncio.to_thread(server.stop))
        async for _frame in socket:
            continue
        assert socket.close_code == 1012
        assert await stopped == 0
    await asyncio.to_thread(server.start)
    await crowd.until_acknowledged(50)
    await crowd.fall_silent()
    assert violations(server.data, crowd.acknowledged, crowd.witnessed, crowd.rooms) == []


async def test_a_start_closes_the_presences_that_a_crash_left_open(server: ServerProcess) -> None:
    """Nobody seems to be in a room because a server died."""
    await asyncio.to_thread(server.start)
    async with aiohttp.ClientSession() as session:
        headers, room = await found(session, server)
        async with session.ws_connect(server.url + "/ws", headers=headers) as socket:
            await socket.send_json({"type": "enter", "room_id": room, "ref": 1})
            async for frame in socket:
                if frame.json()["type"] == "ack":
                    break
            await asyncio.to_thread(server.kill)
    engine = await Engine.open(Settings(data=server.data))
    try:
        assert not engine.directory.anybody_present()
        assert engine.reader.read(engine.position - 1)[-1].event.topic == "presence.reset"
    finally:
        await engine.close()


async def test_scrub_works_beside_a_server_and_without_one(server: ServerProcess) -> None:
    """The same command either way."""
    await asyncio.to_thread(server.start)
    async with aiohttp.ClientSession() as session:
        headers, room_id = await found(session, server)
        for beside in (True, False):
            messages = f"{server.url}/api/v1/rooms/{room_id}/messages"
            async with session.post(messages, json={"body": "Quetzalcoatl"}, headers=headers) as response:
                message_id = (await response.json())["id"]
            async with session.delete(f"{server.url}/api/v1/messages/{message_id}", headers=headers) as response:
                assert response.status == 204
            if not beside:
                await asyncio.to_thread(server.end)
            assert await admin(server.data, "scrub") == "There was nothing to scrub."
            assert await admin(server.data, "scrub", "--now") == "Scrubbed 1 deleted message."
            assert b"Quetzalcoatl" not in b"".join(path.read_bytes() for path in server.data.glob("*.db*"))


async def test_a_forgotten_password_is_helped_beside_a_server_and_without_one(server: ServerProcess) -> None:
    """Also when it is the last administrator's, whom nobody inside can help."""
    await asyncio.to_thread(server.start)
    async with aiohttp.ClientSession() as session:
        await found(session, server)
        token = (await admin(server.data, "people", "reset-password", "ANN@example.com")).rpartition("/")[2]
        reset = f"{server.url}/api/v1/password-resets/{token}"
        async with session.post(reset, json={"password": "another good one"}) as response:
            assert response.status == 201 and (await response.json())["user"]["name"] == "Ann"
        await asyncio.to_thread(server.end)
        told = await admin(server.data, "people", "reset-password", "ann@example.com", "--json")
        assert json.loads(told)["path"].startswith("/password-reset/")
        refused = await admin(server.data, "people", "set-role", "ann@example.com", "member", code=1)
        assert "PERMISSION_DENIED" in refused and "Traceback" not in refused
        assert "USER_NOT_FOUND" in await admin(server.data, "people", "reset-password", "who@example.com", code=1)


async def admin(data: Path, *arguments: str, code: int = 0) -> str:
    command = [sys.executable, "-m", "campfire.admin", *arguments, "--data", str(data)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30)
    assert done.returncode == code, done.stderr
    return (done.stdout + done.stderr).strip()
