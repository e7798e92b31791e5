import asyncio
import shutil
import sqlite3
from pathlib import Path

import aiohttp
import pytest
from faults_support.load import PASSWORD, Crowd
from faults_support.server_process import ServerProcess

from campfire.errors import CampfireError


@pytest.fixture
async def killed(server: ServerProcess) -> ServerProcess:
    """A server that was killed under load: its last events are only in the `-wal` file."""
    await asyncio.to_thread(server.start)
    crowd = Crowd(server, senders=16)
    await crowd.gather_round()
    await crowd.talk()
    await crowd.until_acknowledged(300)
    await crowd.fall_silent()
    await asyncio.to_thread(server.kill)
    return server


def refusal(server: ServerProcess) -> str:
    """What the server says when it refuses to start; it must end with exit code 3."""
    before = len(server.output)
    with pytest.raises(CampfireError) as ended:
        server.start()
    assert ended.value.extra["exit_code"] == 3
    return "\n".join(server.output[before:])


def settle(data: Path) -> int:
    """Move everything from the `-wal` file into the database; return the last position."""
    shell = sqlite3.connect(data / "events.db")
    shell.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    [(position,)] = shell.execute("SELECT MAX(position) FROM events").fetchall()
    shell.close()
    return int(position)


def flip(data: Path, position: int) -> None:
    """Change one byte of one event's text in the file, which SQLite does not notice."""
    shell = sqlite3.connect(data / "events.db")
    [(state,)] = shell.execute("SELECT state FROM events WHERE position = ?", (position,)).fetchall()
    shell.close()
    content = (data / "events.db").read_bytes()
    place = content.index(bytes(state)) + len(state) // 2
    (data / "events.db").write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])


async def test_a_deleted_wal_is_noticed_at_start(killed: ServerProcess) -> None:
    """SQLite opens the log as if nothing were missing; the server names the positions that are."""
    (killed.data / "events.db-wal").unlink()
    said = refusal(killed)
    assert "LOG_DAMAGED" in said and "are missing" in said


async def test_a_copy_without_any_wal_is_noticed_at_start(killed: ServerProcess) -> None:
    """Even if every database lost its `-wal` file, the tip file remembers."""
    for wal in killed.data.glob("*-wal"):
        wal.unlink()
    assert "events.tip" in refusal(killed)


async def test_a_flipped_byte_near_the_end_is_noticed_at_start(killed: ServerProcess) -> None:
    """The event is named, and not served."""
    last = settle(killed.data)
    flip(killed.data, last - 20)
    assert f"position {last - 20}" in refusal(killed)


async def test_a_truncated_log_is_noticed_at_start(killed: ServerProcess) -> None:
    """A file that lost its end is not taken for a shorter history."""
    settle(killed.data)
    size = (killed.data / "events.db").stat().st_size
    with (killed.data / "events.db").open("r+b") as log:
        log.truncate(size // 2)
    assert "LOG_DAMAGED" in refusal(killed)


async def test_a_missing_log_is_noticed_at_start(killed: ServerProcess) -> None:
    """No new, empty history is begun where there was one."""
    for file in killed.data.glob("events.db*"):
        file.unlink()
    assert "positions 1 to" in refusal(killed)
    assert not (killed.data / "events.db").exists()


async def test_an_older_log_is_noticed_at_start(killed: ServerProcess, tmp_path: Path) -> None:
    """Putting back only `events.db` from an old copy is a loss, and is called one."""
    settle(killed.data)
    shutil.copy(killed.data / "events.db", tmp_path / "old.db")
    await asyncio.to_thread(killed.start)
    async with aiohttp.ClientSession() as session:
        signed_in = await session.post(
            killed.url + "/api/v1/sessions", json={"email": "p0@example.com", "password": PASSWORD}
        )
        assert signed_in.status == 201
    killed.stop()
    for file in killed.data.glob("events.db*"):
        file.unlink()
    shutil.copy(tmp_path / "old.db", killed.data / "events.db")
    assert "are missing" in refusal(killed)


async def test_an_undamaged_log_starts_again(killed: ServerProcess) -> None:
    """A kill alone is no damage."""
    await asyncio.to_thread(killed.start)
    assert killed.stop() == 0
