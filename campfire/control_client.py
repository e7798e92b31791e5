"""Asking the running server, over its socket in the data directory."""

import socket
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from campfire.config import Settings
from campfire.errors import CATALOGUE, CampfireError


class ControlClient:
    """Requests to one running server. Errors come back as the `CampfireError` that the server raised."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, path: str) -> Any:
        async with self._session.get(f"http://campfire{path}") as response:
            return await _result(response)

    async def post(self, path: str, body: bytes | AsyncIterable[bytes] = b"", **query: str) -> Any:
        async with self._session.post(f"http://campfire{path}", data=body, params=query) as response:
            return await _result(response)

    async def post_file(self, path: str, file: Path, **query: str) -> Any:
        """Post what a file holds, piece by piece."""
        with file.open("rb") as body:
            async with self._session.post(f"http://campfire{path}", data=body, params=query) as response:
                return await _result(response)

    async def post_for_lines(self, path: str) -> AsyncIterator[Any]:
        """Post, and yield the JSON objects of the answer as they come."""
        async with self._session.post(f"http://campfire{path}") as response:
            if response.status >= 400:
                await _result(response)
            async for line in response.content:
                yield msgspec.json.decode(line)


def server_is_running(settings: Settings) -> bool:
    """Whether somebody answers on the control socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(settings.socket_path))
        except OSError:
            return False
    return True


@asynccontextmanager
async def control_client(settings: Settings) -> AsyncIterator[ControlClient]:
    """Talk to the server that uses `settings.data`. Raises `CampfireError` `SHUTTING_DOWN` if it goes away."""
    connector = aiohttp.UnixConnector(path=str(settings.socket_path))
    # Imports and rebuilds take as long as they take; the server's own limits apply.
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        try:
            yield ControlClient(session)
        except aiohttp.ClientError as error:
            raise CampfireError(
                "SHUTTING_DOWN", "The server stopped before it had answered. Run the same command again."
            ) from error


async def _result(response: aiohttp.ClientResponse) -> Any:
    body = await response.read()
    if response.status < 400:
        return msgspec.json.decode(body)
    problem = msgspec.json.decode(body)
    code = problem.get("code", "INTERNAL_ERROR")
    raise CampfireError(code if code in CATALOGUE else "INTERNAL_ERROR", problem.get("detail", ""))
