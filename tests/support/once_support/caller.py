"""A bot written for ONCE Campfire, as a shell script with curl calls: raw bytes, no cookie, the key in the address."""

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

SECONDS = 10


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        assert self.headers["content-type"].startswith("application/problem+json"), self.body
        return str(self.json["code"])


@dataclass
class Bot:
    """What curl in a shell script can do, over a socket of its own."""

    url: str
    room: int
    key: str
    number: int
    id: str

    @property
    def messages(self) -> str:
        return f"/rooms/{self.room}/{self.key}/messages"

    async def call(self, method: str, path: str, body: bytes = b"", *headers: str) -> Reply:
        parts = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        head = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close", *headers]
        if body or method != "GET":
            head.append(f"Content-Length: {len(body)}")
        writer.write("\r\n".join([*head, "", ""]).encode() + body)
        async with asyncio.timeout(SECONDS):
            answered = await reader.read()
        writer.close()
        top, _, rest = answered.partition(b"\r\n\r\n")
        status, *lines = top.decode().split("\r\n")
        named = dict(line.split(": ", 1) for line in lines)
        return Reply(int(status.split()[1]), {name.lower(): value for name, value in named.items()}, rest)

    async def post(self, text: str | bytes, *headers: str) -> int:
        """Post and return the id that the answer's Location ends with."""
        body = text.encode() if isinstance(text, str) else text
        reply = await self.call("POST", self.messages, body, *headers)
        assert (reply.status, reply.body) == (201, b""), reply
        found = re.fullmatch(rf"{self.url}/messages/([0-9]+)", reply.headers["location"])
        assert found is not None, reply.headers
        return int(found[1])

    async def list(self, query: str = "") -> list[dict[str, Any]]:
        reply = await self.call("GET", self.messages + query)
        assert reply.status == 200, reply
        return list(reply.json)


def form(*parts: tuple[str, bytes]) -> tuple[bytes, str]:
    """A multipart body as curl -F makes it: what follows `name="..."` in each head, and the content."""
    pieces = [
        b'--xyz\r\nContent-Disposition: form-data; name="%s\r\n\r\n%s\r\n' % (head.encode(), body)
        for head, body in parts
    ]
    return b"".join(pieces) + b"--xyz--\r\n", "Content-Type: multipart/form-data; boundary=xyz"


def next_of(reply: Reply) -> str | None:
    """The path of the next page, if the answer names one."""
    link = reply.headers.get("link")
    if link is None:
        return None
    found = re.fullmatch(r'<http://[^/]+(/.*)>; rel="next"', link)
    assert found is not None, link
    return found[1]
