"""How connections end: slow ones, ended sessions, a server that stops."""

import asyncio
import socket as sockets
import struct
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from campfire.api.feed import cursor as cursor_module
from campfire.api.feed import hub as hub_module
from campfire.api.feed.subscriber import SLOW_CONSUMER

if TYPE_CHECKING:
    from tests.api_feed.conftest import Person, Server

SECONDS = 10


class Deaf:
    """A connection that reads its handshake and then no more, with buffers as small as they get."""

    def __init__(self, raw: sockets.socket) -> None:
        self.raw = raw

    @classmethod
    async def connect(cls, server: "Server", request: str, person: "Person") -> "Deaf":
        loop = asyncio.get_running_loop()
        raw = sockets.socket()
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        raw.setblocking(False)
        parts = urlsplit(server.url)
        await loop.sock_connect(raw, (parts.hostname, parts.port))
        head = f"GET {request}\r\nHost: x\r\nAuthorization: Bearer {person.token}\r\n\r\n".replace("\n\r\n\r", "\n\r")
        await loop.sock_sendall(raw, head.encode())
        await loop.sock_recv(raw, 64)
        return cls(raw)

    async def rest(self) -> bytes:
        """All that comes until the server closes."""
        loop = asyncio.get_running_loop()
        parts: list[bytes] = []
        async with asyncio.timeout(SECONDS):
            try:
                while data := await loop.sock_recv(self.raw, 1 << 20):
                    parts.append(data)
            except ConnectionResetError:
                pass
        self.raw.close()
        return b"".join(parts)


_UPGRADE = (
    "/ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13"
    "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
)
_STREAM = "/feed HTTP/1.1\r\nAccept: text/event-stream"


@pytest.mark.parametrize("request_line", [_UPGRADE, _STREAM], ids=["websocket", "event source"])
async def test_a_slow_consumer_is_closed_and_the_others_are_not_slowed(
    server: "Server", ada: "Person", bob: "Person", room: str, monkeypatch: pytest.MonkeyPatch, request_line: str
) -> None:
    """Who does not read is disconnected; everybody else goes on, and the slow one resumes with nothing lost."""
    for module in ("websocket", "http"):
        monkeypatch.setattr(f"campfire.api.feed.{module}.MOST_WAITING", 256 * 1024)
    began = server.position
    quick = await ada.socket()
    slow = await Deaf.connect(server, request_line, bob)
    await server.eventually(lambda: server.hub.connections == 2)
    posted: list[int] = []
    while server.hub.connections == 2:
        posted.append((await ada.post(room, "x" * 9_000)).position)
        async with asyncio.timeout(2):
            assert (await quick.event("message.posted"))["position"] == posted[-1]
        assert len(posted) < 2_000, "the slow consumer is never closed"
    last_words = await slow.rest()
    if request_line == _UPGRADE:
        reason = b"SLOW_CONSUMER"
        assert struct.pack("!BBH", 0x88, 2 + len(reason), SLOW_CONSUMER) + reason in last_words
    caught_up = await bob.socket(began)
    assert [(await caught_up.event())["position"] for _ in posted] == posted


async def test_who_never_reads_while_catching_up_is_closed(
    server: "Server", ada: "Person", bob: "Person", room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catch-up does not wait for ever, nor fill the memory with what nobody takes."""
    monkeypatch.setattr(hub_module, "_PATIENCE_SECONDS", 0.2)
    began = server.position
    await asyncio.gather(*(ada.post(room, "x" * 9_900) for _ in range(1_200)))
    slow = await Deaf.connect(server, _UPGRADE.replace("/ws", f"/ws?since={began}"), bob)
    await server.eventually(lambda: server.hub.connections == 1)
    await server.eventually(lambda: server.hub.connections == 0)
    slow.raw.close()


async def test_the_end_of_a_session_closes_its_sockets(server: "Server", ada: "Person", bob: "Person") -> None:
    """Revoked is revoked, at once, and on that device only."""
    other = await server.second_session(bob)
    kept, closed = await other.socket(), await bob.socket()
    async with bob.event_source() as source:
        await source.next()
        polling = asyncio.create_task(bob.poll(server.position, wait=25))
        await server.eventually(lambda: server.hub.connections == 4)
        await bob.end_session()
        assert await closed.closed() == 4401
        assert closed.frames[-1]["event"] == "session.ended"
        name, ended = await source.next()
        assert (name, ended["event"]) == ("message", "session.ended")
        with pytest.raises(EOFError):
            await source.next()
        async with asyncio.timeout(SECONDS):
            assert (await polling)["events"] == [ended]
    assert (await kept.event())["event"] == "session.ended"
    room = await bob.room()
    assert (await kept.event())["data"]["id"] == room
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await bob.socket()
    assert refusal.value.status == 401


async def test_a_session_that_ends_while_it_catches_up_is_closed_too(
    server: "Server", ada: "Person", bob: "Person", room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when nobody at all is live."""
    began = server.position
    await ada.post(room)
    reading, go_on = asyncio.Event(), asyncio.Event()
    read_page = cursor_module.Cursor.read_page

    async def slowly(cursor: Any) -> Any:
        reading.set()
        await go_on.wait()
        return await read_page(cursor)

    monkeypatch.setattr(cursor_module.Cursor, "read_page", slowly)
    socket = await bob.socket(began)
    await reading.wait()
    await bob.end_session()
    go_on.set()
    assert await socket.closed() == 4401
    assert not [frame for frame in socket.frames if frame["type"] == "event"]


async def test_a_stopping_server_says_so_on_every_transport(
    server: "Server", ada: "Person", bob: "Person", room: str
) -> None:
    """Sockets close with 1012, streams end, polls are answered; all within a bounded time."""
    sockets_ = [await person.socket() for person in (ada, bob, ada)]
    deaf = await Deaf.connect(server, _UPGRADE, bob)
    async with bob.event_source() as source, asyncio.timeout(SECONDS):
        await source.next()
        polling = asyncio.create_task(bob.poll(server.position, wait=25))
        await server.eventually(lambda: server.hub.connections == 6)
        await server.hub.close()
        assert [await socket.closed() for socket in sockets_] == [1012] * 3
        with pytest.raises(EOFError):
            await source.next()
        assert (await polling)["events"] == []
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await ada.socket()
        assert refusal.value.status == 503
    assert b"restarting" in await deaf.rest()


async def test_posts_in_flight_are_acknowledged_before_a_restart(server: "Server", ada: "Person", room: str) -> None:
    """What was sent before the server began to stop gets its answer on the same socket."""
    socket = await ada.socket()
    for number in range(20):
        await socket.send(type="post", ref=number, room_id=room, body="x", client_message_id=f"c{number}")
    await server.eventually(lambda: server.engine.health().waiting > 0 or len(socket.frames) > 1 or _posted(server))
    await server.hub.close()
    assert await socket.closed() == 1012
    acked = {frame["ref"] for frame in socket.frames if frame["type"] == "ack"}
    page = await ada.server.engine.read_models.rows("SELECT count(*) FROM messages")
    assert len(acked) == page[0][0]


def _posted(server: "Server") -> bool:
    return any(room.last_message_at for room in server.engine.directory.rooms.values())


async def test_a_defect_in_one_connection_harms_no_other(
    server: "Server", ada: "Person", bob: "Person", room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody else gets the batch; the broken one is closed and comes back for it."""
    from campfire.api.feed.websocket import Connection

    began = server.position
    fine, broken = await ada.socket(), await bob.socket()
    deliver = Connection.deliver

    def breaks(connection: Connection, run: Any) -> None:
        if connection.user_id == bob.id:
            raise RuntimeError("defect")
        deliver(connection, run)

    monkeypatch.setattr(Connection, "deliver", breaks)
    message = await ada.post(room)
    assert (await fine.event())["position"] == message.position
    assert await broken.closed() == 1011
    monkeypatch.undo()
    assert (await (await bob.socket(began)).event())["position"] == message.position
