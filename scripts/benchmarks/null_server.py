"""A server that does nothing at all: how fast the load generator can be (`python -m benchmarks.null_server`)."""

import asyncio
import sys
from typing import cast

import uvloop

_ANSWER = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"


class Yes(asyncio.Protocol):
    """Says 201 to whatever arrives: the generator has one request under way on a connection, in one packet."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class

    def data_received(self, data: bytes) -> None:
        self._transport.write(_ANSWER)


async def serve() -> None:
    """Listen on a free port of the loopback until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Yes, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
