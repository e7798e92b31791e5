"""What a hostile client may send: no failure of ours, no traceback, no hang."""

import asyncio
import base64
import logging
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
import pytest
from outbox_support.planted import plant_dead_letters

from campfire.domain.events import LinkPreview, MessagePreviewed, NewEvent, PreviewImage
from campfire.domain.ids import random_id

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client, OpenChat

SECONDS = 10
_FUZZ_SECONDS = 800
"""Thousands of requests, on a machine that may have much else to do; it ends long before."""
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SUBSCRIPTION = {
    "endpoint": "https://push.example.com/send/abc",
    "keys": {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    },
}
ADA = {"email": "ada@example.com", "password": "correct horse battery"}
RAW_REQUESTS = (
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /health/live HTTP/1.1\r\nHost: x\r\nBad Header: x\r\n\r\n",
    b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: \x00\r\n\r\n",
    b"POST /api/v1/setup HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /api/v1/setup HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    b"POST /api/v1/setup HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /api/v1/setup HTTP/1.1\r\nHost: x\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /api/v1/setup HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /api/v1/setup HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 18\r\n\r\nthis is not packed",
    b"GET " + b"/x" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
    b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nExpect: the-unexpected\r\nContent-Length: 2\r\n\r\n{}",
    b"GET /api/v1/me HTTP/1.1\r\nHost: x\r\nCookie: campfire_session=\xff\xfe; =; ;;\r\n\r\n",
    b"GET /api/v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
    b"POST /api/v1/sessions HTTP/1.1\r\nHost: \xff[\r\nOrigin: http://[\xff\r\nContent-Length: 2\r\n\r\n{}",
)


async def answer_to(url: str, raw: bytes) -> bytes:
    """The first line of the answer to raw bytes; empty if the server hung up on them."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(raw)
        if writer.can_write_eof():
            writer.write_eof()
        return await reader.readline()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("raw", RAW_REQUESTS, ids=range(len(RAW_REQUESTS)))
async def test_bytes_that_are_hardly_http_do_no_harm(
    chat: "Chat", ada: "Client", raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """They are refused or dropped, leave no traceback for an administrator to worry about, and others go on."""
    caplog.set_level(logging.INFO)
    async with asyncio.timeout(SECONDS):
        line = await answer_to(chat.url, raw)
    assert line == b"" or line.split()[1].startswith(b"4"), line
    assert not [record for record in caplog.records if record.exc_info]
    assert (await ada.get("/api/v1/me")).status == 200


async def test_a_body_that_never_comes_keeps_nobody_waiting(chat: "Chat", ada: "Client") -> None:
    """Other requests are answered meanwhile."""
    parts = urlsplit(chat.url)
    _reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    async with asyncio.timeout(SECONDS):
        assert (await ada.get("/api/v1/me")).status == 200
    writer.close()


async def test_a_body_that_never_comes_is_given_up(open_chat: "OpenChat") -> None:
    """Its connection is not held for ever, and the client is told why."""
    async with open_chat(body_seconds=0.05) as chat, asyncio.timeout(SECONDS):
        parts = urlsplit(chat.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.split()[1] == b"408"
        assert b"REQUEST_TIMEOUT" in await reader.readuntil(b"}")
        writer.close()


# What ends something that other operations need is tried after them, in this order.
ENDINGS = (
    ("use_transfer",),
    (
        "delete_message",
        "delete_webhook",
        "unsubscribe",
        "revoke_session",
        "remove_member",
        "rotate_join_code",
        "remove_logo",
    ),
    ("use_password_reset",),
    ("ban_user", "reactivate_user", "end_sessions_of"),
    ("end_user",),
    ("archive_room", "revoke_other_sessions"),
    ("delete_room",),
    ("sign_out",),
)
ENDED_ROOM = ("delete_message", "delete_room")
CANNOT_SUCCEED = {
    ("POST", "/api/v1/setup"): "it has been done",
    ("POST", "/api/v1/sessions"): "nobody guesses the password",
    ("PUT", "/api/v1/me/email"): "nobody guesses the password",
    ("PUT", "/api/v1/me/password"): "nobody guesses the password",
    ("GET", "/ws"): "it asks without an upgrade",
    ("PUT", "/api/v1/users/{user_id}/avatar"): "only bots are given pictures",
}
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.mark.timeout(2 * _FUZZ_SECONDS)
async def test_no_described_request_makes_the_server_fail(
    chat: "Chat", ada: "Client", bob: "Client", tmp_path: Path
) -> None:
    """Schemathesis, against the server's own description: no 5xx, no hang, no answer that it does not describe.

    The ids of things that exist are given, and every operation must have succeeded at least once:
    fuzzing that only ever met a 404 would pass and prove nothing.
    """
    den, attic = [
        (await ada.post("/api/v1/rooms", {"name": name, "kind": "closed"})).json["id"] for name in ("Den", "Attic")
    ]
    image = (await ada.post("/api/v1/uploads?name=x.png", PICTURE)).json
    await ada.put("/api/v1/account/logo", PICTURE)
    webhook = {"url": "https://hooks.example.com/", "events": ["message.posted"]}
    message = (await ada.post(f"/api/v1/rooms/{den}/messages", {"body": "x"})).json
    webhook_id = (await ada.post("/api/v1/webhooks", webhook)).json["id"]
    known = {
        "room_id": den,
        "message_id": message["id"],
        "room_number": str((await ada.get(f"/api/v1/rooms/{den}")).json["number"]),
        "message_number": str(message["position"]),
        "webhook_id": webhook_id,
        "path.delivery_id": (await plant_dead_letters(chat.engine.settings.outbox_path, webhook_id, 1))[0],
        "endpoint_id": (await ada.post("/api/v1/webhooks", webhook)).json["id"],
        "subscription_id": (await ada.put("/api/v1/me/push-subscriptions", SUBSCRIPTION)).json["id"],
        "user_id": bob.user["id"],
        "attachment_id": image["id"],
        "preview_id": await a_preview(chat, ada, den),
        "name": "x.png",
        "session_id": (await chat.nobody().post("/api/v1/sessions", ADA)).json["user"]["session_id"],
        "join_code": chat.join_code,
        "query.wait": "0",
    }
    described = (await ada.get("/openapi.json")).json["paths"]
    chat.answers.clear()

    everything_else = [f"--exclude-operation-id={name}" for names in ENDINGS for name in names]
    await fuzz(chat, ada, tmp_path, known, everything_else)
    tokens = {
        "use_transfer": (await ada.post("/api/v1/me/transfers")).json["token"],
        "use_password_reset": (await ada.post(f"/api/v1/users/{bob.user['id']}/password-resets")).json["token"],
    }
    for names in ENDINGS:
        only = [f"--include-operation-id={name}" for name in names]
        here = {"room_id": attic if names[0] in ENDED_ROOM else den, "token": tokens.get(names[0], "none")}
        await fuzz(chat, ada, tmp_path, {**known, **here}, only)

    succeeded = {(method, path) for method, path, status in chat.answers if status < 300}
    operations = {(method.upper(), path) for path, methods in described.items() for method in methods}
    assert operations - succeeded == CANNOT_SUCCEED.keys()
    assert not [answer for answer in chat.answers if answer[2] >= 500]


async def a_preview(chat: "Chat", client: "Client", room_id: str) -> str:
    """A preview with a picture, of a message that nobody changes; `PICTURE` has been uploaded."""
    message_id = (await client.post(f"/api/v1/rooms/{room_id}/messages", {"body": "y"})).json["id"]
    image = PreviewImage(sha256(PICTURE).hexdigest(), 1, 1)
    preview = LinkPreview(id=random_id(), link="y", url="https://y.example", title="Y", image=image)
    event = MessagePreviewed(at=1, message_id=message_id, room_id=room_id, previews=(preview,))
    await chat.engine.append([NewEvent(message_id, 2, event)])
    return preview.id


async def fuzz(chat: "Chat", client: "Client", directory: Path, known: dict[str, str], which: list[str]) -> None:
    """Run schemathesis on the operations that `which` selects; fails with what it reports."""
    config = directory / "schemathesis.toml"
    parameters = (f"{msgspec.json.encode(name).decode()} = '{value}'\n" for name, value in known.items())
    config.write_text("[parameters]\n" + "".join(parameters))
    arguments = ["--config-file", str(config), "run", f"{chat.url}/openapi.json", "--checks", CHECKS]
    arguments += ["--header", f"Authorization: Bearer {client.token}", "--phases", "examples,coverage,fuzzing"]
    arguments += ["--max-examples", "15", "--seed", "1", "--generation-database", "none", "--no-color"]
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "schemathesis"),
        *arguments,
        *("--request-timeout", str(SECONDS)),
        *which,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=directory,
    )
    async with asyncio.timeout(_FUZZ_SECONDS):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-6000:]
