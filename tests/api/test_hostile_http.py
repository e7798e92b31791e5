"""What a hostile client may send: no failure of ours, no traceback, no hang."""

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client

SECONDS = 10
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
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    async with asyncio.timeout(SECONDS):
        assert (await ada.get("/api/v1/me")).status == 200
    writer.close()


async def test_no_described_request_makes_the_server_fail(chat: "Chat", ada: "Client", tmp_path: Path) -> None:
    """Schemathesis, against the server's own description: no 5xx, and no answer that it does not describe.

    Signing out is left out, since everything after it would be refused and prove nothing.
    """
    config = tmp_path / "schemathesis.toml"
    config.write_text("")
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "schemathesis"),
        "--config-file", str(config),
        "run", f"{chat.url}/openapi.json",
        "--header", f"Authorization: Bearer {ada.token}",
        "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        "--exclude-path-regex", "^/(health|feed)|sessions",
        "--phases", "examples,coverage,fuzzing",
        "--max-examples", "15",
        "--request-timeout", str(SECONDS),
        "--seed", "1",
        "--generation-database", "none",
        "--no-color",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    async with asyncio.timeout(300):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-6000:]
    assert (await ada.get("/api/v1/me")).status == 200
