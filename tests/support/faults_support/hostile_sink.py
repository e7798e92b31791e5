"""Receivers that do what none should: raw servers on loopback, with or without TLS."""

import asyncio
import contextlib
import ssl
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

GONE = (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
"""How it shows that the other side has had enough."""

_TLS_HELLO = b"\x16"


@dataclass(frozen=True)
class Received:
    """One request. `headers` with lower-case names; `at` on the loop's clock."""

    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]


class Connection:
    """What a behaviour has in its hands."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.sent = 0

    async def send(self, data: bytes) -> None:
        """Write, as fast as the other side reads. Raises one of `GONE`."""
        self._writer.write(data)
        await self._writer.drain()
        self.sent += len(data)

    async def until_left(self, seconds: float | None = None) -> bool:
        """Wait until the other side has had enough, or `seconds`; True if it has."""
        with contextlib.suppress(TimeoutError, *GONE):
            async with asyncio.timeout(seconds):
                while await self._reader.read(65_536):
                    pass
            return True
        return self._reader.at_eof() or self._reader.exception() is not None

    def hang_up(self) -> None:
        self._writer.close()


Behaviour = Callable[[Connection], Awaitable[None]]
"""What is done with a connection once a request has come; it is closed afterwards."""


class HostileSink:
    """Start it, point webhooks at `url`, read `received` and `sent`; stop it even while it hangs."""

    def __init__(self, behaviour: Behaviour, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.behaviour = behaviour
        self.received: list[Received] = []
        self.connections = 0
        self.sent = 0
        self.port = 0
        self._host = host
        self._tls = tls
        self._changed = asyncio.Condition()
        self._busy: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    @property
    def url(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://{self._host}:{self.port}/hook"

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._take, self._host, port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for task in self._busy:
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    async def until(self, count: int) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(60), self._changed:
            await self._changed.wait_for(lambda: len(self.received) >= count)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        self.connections += 1
        connection = Connection(reader, writer)
        try:
            first = await reader.readexactly(1)
            if first == _TLS_HELLO:  # as most servers that speak plain HTTP do
                await says(400)(connection)
                return
            await self._note(first, reader)
            await self.behaviour(connection)
        except GONE:
            pass  # it has had enough, which is what most of this is about
        finally:
            self.sent += connection.sent
            self._busy.discard(task)
            writer.close()

    async def _note(self, first: bytes, reader: asyncio.StreamReader) -> None:
        lines = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[1:-2]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        async with self._changed:
            self.received.append(Received(headers, body, asyncio.get_running_loop().time()))
            self._changed.notify_all()


def says(status: int, *headers: str, body: bytes = b"") -> Behaviour:
    """A whole answer, in an orderly way."""
    head = [f"HTTP/1.1 {status} Whatever", *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""]

    async def answer(connection: Connection) -> None:
        await connection.send("\r\n".join(head).encode() + body)

    return answer


async def hangs(connection: Connection) -> None:
    """Nothing at all, for as long as anybody listens."""
    await connection.until_left()


async def drips_its_head(connection: Connection) -> None:
    """The beginning of a response, a byte a second."""
    await _drip(connection, b"HTTP/1.1 200 OK\r\nX-Slow: " + b"z" * 1000)


async def drips_its_body(connection: Connection) -> None:
    """200 at once, then a byte a second."""
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    await _drip(connection, b"z" * 1000)


async def floods(connection: Connection) -> None:
    """200 and a gigabyte."""
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(16_384):
        await connection.send(b"z" * 65_536)


async def bombs(connection: Connection) -> None:
    """200 and a gigabyte, packed into one megabyte."""
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
    packing = zlib.compressobj(9, wbits=31)
    for _ in range(1024):
        packed = packing.compress(bytes(1_048_576))
        if packed:
            await connection.send(b"%x\r\n%s\r\n" % (len(packed), packed))


async def has_many_headers(connection: Connection) -> None:
    """200 and 100,000 headers."""
    await connection.send(b"HTTP/1.1 200 OK\r\n")
    for thousand in range(100):
        await connection.send(b"".join(b"X-%d-%d: %s\r\n" % (thousand, each, b"z" * 80) for each in range(1000)))
    await connection.send(b"Content-Length: 0\r\n\r\n")


async def has_a_long_header(connection: Connection) -> None:
    """200 and one header of a gigabyte."""
    await connection.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    for _ in range(16_384):
        await connection.send(b"z" * 65_536)


async def hints_for_ever(connection: Connection) -> None:
    """One early hint after another, and never an answer (RFC 8297)."""
    while True:
        await connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </z>\r\n\r\n" * 1000)


async def breaks_off(connection: Connection) -> None:
    """200, and a reply in chunks that ends in the middle of one."""
    await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nthank\r\n400\r\ns for the mess")


async def alerts(connection: Connection) -> None:
    """What a TLS server says to somebody who does not speak it: a fatal alert (RFC 8446, section 6)."""
    await connection.send(b"\x15\x03\x01\x00\x02\x02\x46")


async def _drip(connection: Connection, data: bytes) -> None:
    for position in range(len(data)):
        await connection.send(data[position : position + 1])
        if await connection.until_left(1.0):
            return
