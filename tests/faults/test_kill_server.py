import asyncio
import os
import random
from pathlib import Path

from faults_support.history import violations
from faults_support.load import Crowd
from faults_support.server_process import ServerProcess

KILLS = int(os.environ.get("KILLS", "20"))
BROKEN = Path(__file__).with_name("ack_before_commit_server.py")


async def suffer(server: ServerProcess, kills: int) -> Crowd:
    """A crowd talks while the server is killed and started again, `kills` times."""
    await asyncio.to_thread(server.start)
    crowd = Crowd(server)
    await crowd.gather_round()
    await crowd.talk()
    chance = random.Random(kills)
    for _ in range(kills):
        await crowd.until_acknowledged(chance.randrange(20, 200))
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
    await crowd.until_acknowledged(50)
    return crowd


async def test_nothing_acknowledged_is_lost_when_the_server_is_killed(server: ServerProcess) -> None:
    """Every acknowledged message exists exactly once, no position is missing, and every client that resumed
    its feed has seen each event of its rooms once and in order."""
    crowd = await suffer(server, KILLS)
    await crowd.fall_silent()
    assert violations(server.data, crowd.acknowledged, crowd.witnessed, crowd.rooms) == []
    assert len(crowd.acknowledged) >= KILLS * 20


async def test_the_api_lists_what_was_acknowledged(server: ServerProcess) -> None:
    """After kills the read models show each acknowledged message once as well."""
    crowd = await suffer(server, 2)
    crowd._stopping.set()
    await asyncio.gather(*crowd._tasks)
    listed = [body for room in crowd.rooms for body in await crowd.bodies_in(room, crowd_member(crowd, room))]
    await crowd.fall_silent()
    said = [each.body for each in crowd.acknowledged]
    assert len(listed) == len(set(listed))
    assert set(said) <= set(listed)


async def test_the_checker_notices_an_acknowledgement_before_the_commit(tmp_path: Path) -> None:
    """The test above can fail: a server that answers before it commits is caught losing messages."""
    server = ServerProcess(tmp_path / "data", entry=BROKEN)
    try:
        crowd = await suffer(server, 2)
        crowd._stopping.set()
        await asyncio.gather(*crowd._tasks)
        for listener in crowd._listeners:
            listener.cancel()
        await asyncio.gather(*crowd._listeners, return_exceptions=True)
        await crowd._session.close()
        found = violations(server.data, crowd.acknowledged, [], crowd.rooms)
    finally:
        server.end()
    assert any(line.startswith("lost") for line in found)


def crowd_member(crowd: Crowd, room: str):  # type: ignore[no-untyped-def]
    return next(person for person in crowd.people if person.id in crowd.rooms[room])
