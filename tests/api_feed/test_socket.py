"""The WebSocket itself: who may open it, what it says to frames of every kind."""

import asyncio
import os
import struct
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import pytest

if TYPE_CHECKING:
    from feed_support.listening import Socket

    from tests.api_feed.conftest import Person, Server

SECONDS = 10


async def test_a_post_is_acknowledged_and_comes_through_the_feed_as_well(
    server: "Server", ada: "Person", bob: "Person", room: str
) -> None:
    """The acknowledgement says what HTTP says; a repeat gives the first result and no second event."""
    mine, theirs = await ada.socket(), await bob.socket()
    post = {"type": "post", "room_id": room, "body": "hello", "client_message_id": "c1"}
    ack = await mine.ask(**post, ref="first")
    assert ack["type"] == "ack" and ack["data"]["body"] == "hello" and not ack["data"]["duplicate"]
    again = await mine.ask(**post, ref=2)
    assert again["ref"] == 2 and again["data"]["duplicate"] and again["position"] == ack["position"]
    event = await theirs.event()
    assert event["position"] == ack["position"]
    assert event["data"]["author"] == {"id": ada.id, "name": "Ada"}
    marker = await ada.post(room, "marker")
    assert [e["position"] for e in await mine.until(marker.position)][-1] == marker.position
    events = [frame["position"] for frame in mine.frames if frame["type"] == "event"]
    assert events == [ack["position"], marker.position]
    kinds = [frame["type"] for frame in mine.frames]
    assert kinds.index("event") < kinds.index("ack")


async def test_many_posts_at_once_are_each_acknowledged(server: "Server", ada: "Person", room: str) -> None:
    """More than may be in flight: reading waits, nothing is refused or lost."""
    socket = await ada.socket()
    for number in range(500):
        await socket.send(type="post", ref=number, room_id=room, body=str(number))
    acks: dict[int, int] = {}
    while len(acks) < 500:
        frame = await socket.next("ack")
        acks[frame["ref"]] = frame["position"]
    assert len(set(acks.values())) == 500


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"type": "post", "room_id": "nowhere", "body": "x"}, "ROOM_NOT_FOUND"),
        ({"type": "post", "room_id": "ROOM", "body": "x" * 10_001}, "MESSAGE_TOO_LONG"),
        ({"type": "post", "room_id": "ROOM", "body": "  "}, "VALIDATION_FAILED"),
        ({"type": "post", "room_id": "ROOM", "body": "x", "client_message_id": ""}, "VALIDATION_FAILED"),
        ({"type": "post", "room_id": "ROOM", "body": 7}, "VALIDATION_FAILED"),
        ({"type": "post", "room_id": "ROOM", "body": "x", "overflow": "explode"}, "VALIDATION_FAILED"),
        ({"type": "post", "body": "x"}, "MALFORMED_REQUEST"),
        ({"type": "read", "room_id": "ROOM", "position": -1}, "VALIDATION_FAILED"),
        ({"type": "read", "room_id": "ROOM", "position": 1e300}, "VALIDATION_FAILED"),
        ({"type": "enter", "room_id": "nowhere"}, "ROOM_NOT_FOUND"),
        ({"type": "typing", "room_id": "nowhere"}, "ROOM_NOT_FOUND"),
        ({"type": "shout", "room_id": "ROOM"}, "MALFORMED_REQUEST"),
        ({"type": None}, "MALFORMED_REQUEST"),
        ({}, "MALFORMED_REQUEST"),
    ],
)
async def test_a_frame_that_cannot_be_obeyed_is_answered_by_a_problem(
    ada: "Person", room: str, frame: dict[str, Any], code: str
) -> None:
    """With the frame's own ref, and the connection stays open."""
    socket = await ada.socket()
    frame = {key: room if value == "ROOM" else value for key, value in frame.items()}
    answer = await socket.ask(**frame)
    assert answer["type"] == "error" and answer["error"]["code"] == code
    assert (await socket.ask(type="post", room_id=room, body="still here"))["type"] == "ack"


@pytest.mark.parametrize("kind", ["post", "enter", "typing", "read"])
async def test_an_outsider_can_do_nothing_in_a_room(ada: "Person", eve: "Person", room: str, kind: str) -> None:
    """Each kind of frame is checked against membership."""
    socket = await eve.socket()
    answer = await socket.ask(type=kind, room_id=room, body="x", position=1)
    assert answer["error"]["code"] == "ROOM_ACCESS_DENIED" and answer["error"]["status"] == 403


_TEXTS = [
    "",
    "{",
    "null",
    "7",
    '"x"',
    "[]",
    "[" * 100_000,
    '{"a":' * 50_000,
    "\x00",
    '{"type":"post"',
    "true",
    '{"type":"post","room_id":"r","body":"\\ud800"}',
    '{"type":"post","ref":{"a":1},"room_id":"r","body":"x"}',
    '{"type":"read","room_id":"r","position":' + "9" * 5_000 + "}",
    '{"type":"enter","room_id":"r","junk":' + "[" * 50_000 + "]" * 50_000 + "}",
]


@pytest.mark.parametrize("text", _TEXTS, ids=range(len(_TEXTS)))
async def test_text_that_is_no_frame_is_answered_by_a_problem(ada: "Person", room: str, text: str) -> None:
    """Nothing that fits in a text frame can close the connection or fail the server."""
    socket = await ada.socket()
    await socket.raw.send_str(text)
    problem = (await socket.next("error"))["error"]
    assert 400 <= problem["status"] < 500
    assert (await socket.ask(type="post", room_id=room, body="still here"))["type"] == "ack"


async def test_lone_surrogates_and_nul_are_refused_politely(ada: "Person", room: str) -> None:
    """What JSON can say and UTF-8 cannot."""
    socket = await ada.socket()
    for field in ("room_id", "body", "client_message_id"):
        values = {"room_id": f'"{room}"', "body": '"x"', "client_message_id": '"c"', field: '"a\\udc00b"'}
        members = ",".join(f'"{name}":{value}' for name, value in values.items())
        await socket.raw.send_str(f'{{"type":"post","ref":1,{members}}}')
        assert (await socket.next("error"))["error"]["status"] < 500
    assert (await socket.ask(type="post", room_id=room, body="a\x00b"))["error"]["status"] == 422


async def test_binary_frames_are_refused_and_pings_answered(ada: "Person", room: str) -> None:
    """The feed speaks JSON text; control frames work as RFC 6455 says."""
    socket = await ada.socket(autoping=False)
    await socket.raw.send_bytes(b'{"type":"post"}')
    assert (await socket.next("error"))["error"]["code"] == "MALFORMED_REQUEST"
    await socket.raw.ping(b"are you there")
    async with asyncio.timeout(SECONDS):
        pong = await socket.raw.receive()
    assert (pong.type, pong.data) == (aiohttp.WSMsgType.PONG, b"are you there")


def _masked(first_byte: int, payload: bytes, claimed: int | None = None) -> bytes:
    length = len(payload) if claimed is None else claimed
    mask = os.urandom(4)
    if length < 126:
        head = struct.pack("!BB", first_byte, 0x80 | length)
    elif length < 65_536:
        head = struct.pack("!BBH", first_byte, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", first_byte, 0x80 | 127, length)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


async def _closed_by(socket: "Socket", data: bytes) -> int | None:
    connection = socket.raw._conn
    assert connection is not None and connection.transport is not None
    connection.transport.write(data)
    return await socket.closed()


_HOSTILE = {
    "invalid utf-8": (_masked(0x81, b"\xff\xfe"), 1007),
    "a huge frame": (_masked(0x81, b"x" * 600_000), 1009),
    "a frame that claims to be huge": (_masked(0x81, b"x", claimed=1 << 40), 1009),
    "huge by fragments": (_masked(0x01, b"x" * 300_000) + _masked(0x80, b"x" * 300_000), 1009),
    "a reserved opcode": (_masked(0x83, b"x"), 1002),
    "a reserved bit": (_masked(0xC1, b"x"), 1002),
    "a continuation of nothing": (_masked(0x80, b"x"), 1002),
    "a fragmented ping": (_masked(0x09, b"x"), 1002),
    "a ping that is too long": (_masked(0x89, b"x" * 126), 1002),
    "a close code that is none": (_masked(0x88, struct.pack("!H", 999)), 1002),
    "a close without reason": (_masked(0x88, b""), None),
}


@pytest.mark.parametrize("name", _HOSTILE)
async def test_frames_against_the_protocol_close_that_connection_only(
    server: "Server", ada: "Person", bob: "Person", room: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With the code that RFC 6455 names; no traceback, and everybody else goes on."""
    data, code = _HOSTILE[name]
    other = await bob.socket()
    closed_with = await _closed_by(await ada.socket(), data)
    assert code is None or closed_with == code
    await server.eventually(lambda: server.hub.connections == 1)
    message = await ada.post(room)
    assert (await other.event())["position"] == message.position
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_fragmented_frame_is_put_together(ada: "Person", room: str) -> None:
    """With a ping between the parts, as RFC 6455 allows."""
    socket = await ada.socket()
    text = f'{{"type":"post","ref":"r","room_id":"{room}","body":"in parts"}}'.encode()
    connection = socket.raw._conn
    assert connection is not None and connection.transport is not None
    connection.transport.write(_masked(0x01, text[:10]) + _masked(0x89, b"?") + _masked(0x80, text[10:]))
    assert (await socket.next("ack"))["data"]["body"] == "in parts"


async def _refused(server: "Server", headers: dict[str, str], **query: str) -> tuple[int, dict[str, Any]]:
    async with server.http.get("/ws", headers=headers, params=query) as answer:
        assert answer.content_type == "application/problem+json"
        return answer.status, await answer.json()


_UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


async def test_the_handshake_is_authenticated_and_its_refusal_is_a_problem(server: "Server", ada: "Person") -> None:
    """A bearer token or the cookie, and nothing else."""
    status, problem = await _refused(server, _UPGRADE)
    assert (status, problem["code"]) == (401, "AUTHENTICATION_REQUIRED")
    status, problem = await _refused(server, {**_UPGRADE, "Authorization": "Bearer wrong"})
    assert (status, problem["code"]) == (401, "SESSION_EXPIRED")
    cookie = {"Cookie": f"campfire_session={ada.token}"}
    async with server.http.ws_connect("/ws", headers=cookie) as socket:
        assert (await socket.receive_json())["type"] == "hello"


async def test_another_sites_page_cannot_use_the_cookie(server: "Server", ada: "Person") -> None:
    """A browser sends cookies with every WebSocket handshake, whoever's page begins it."""
    cookie = {"Cookie": f"campfire_session={ada.token}"}
    status, problem = await _refused(server, {**_UPGRADE, **cookie, "Origin": "https://evil.example"})
    assert (status, problem["code"]) == (403, "ORIGIN_NOT_ALLOWED")
    own = f"http://{urlsplit(server.url).netloc}"
    async with server.http.ws_connect("/ws", headers={**cookie, "Origin": own}) as socket:
        assert (await socket.receive_json())["type"] == "hello"


@pytest.mark.parametrize(
    "headers", [{}, {**_UPGRADE, "Sec-WebSocket-Version": "99"}, {**_UPGRADE, "Sec-WebSocket-Key": "x"}]
)
async def test_a_request_that_is_no_handshake_is_told_so(
    server: "Server", ada: "Person", headers: dict[str, str]
) -> None:
    """The client then knows to fall back to the feed over HTTP."""
    status, problem = await _refused(server, {**headers, **ada.headers})
    assert (status, problem["code"]) == (400, "WEBSOCKET_CONNECTION_FAILED")


async def test_status_reaches_everybody(server: "Server", ada: "Person", bob: "Person") -> None:
    """Such as that nothing can be written now."""
    sockets = [await ada.socket(), await bob.socket()]
    server.hub.announce_status({"read_only": True, "code": "DISK_FULL"})
    for socket in sockets:
        assert await socket.next() == {
            "type": "status",
            "position": server.position,
            "read_only": True,
            "code": "DISK_FULL",
        }
