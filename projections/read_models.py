"""Reading the read models: a few read-only aiosqlite connections that take turns."""

import asyncio
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aiosqlite

_CONNECTIONS = 3


class ReadModels:
    """Queries run side by side on up to `connections` threads; `reopen` after the file was swapped."""

    def __init__(self, path: Path, connections: int = _CONNECTIONS) -> None:
        self._path = path
        self._wanted = connections
        self._idle: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()

    async def open(self) -> None:
        for _ in range(self._wanted):
            self._idle.put_nowait(await self._connect())

    async def close(self) -> None:
        """Wait for the queries that run, then close."""
        for _ in range(self._wanted):
            await (await self._idle.get()).close()

    async def reopen(self) -> None:
        """Move to the file that is at the path now; a query that runs ends on the old one first."""
        used = [await self._idle.get() for _ in range(self._wanted)]
        for connection in used:
            await connection.close()
        await self.open()

    async def rows(self, statement: str, parameters: Iterable[Any] = (), *, seconds: float | None = None) -> list[Any]:
        """All rows of one statement. Raises `TimeoutError` if it takes longer than `seconds`, and `sqlite3.Error`."""
        connection = await self._idle.get()
        try:
            if seconds is None:
                return list(await connection.execute_fetchall(statement, parameters))
            return await _rows_within(connection, statement, parameters, seconds)
        finally:
            self._idle.put_nowait(connection)

    async def _connect(self) -> aiosqlite.Connection:
        uri = f"{self._path.absolute().as_uri()}?mode=ro"
        connection = await aiosqlite.connect(uri, uri=True, isolation_level=None)
        await connection.execute_fetchall("PRAGMA cache_size = -16384")
        return connection


async def _rows_within(
    connection: aiosqlite.Connection, statement: str, parameters: Iterable[Any], seconds: float
) -> list[Any]:
    query = asyncio.ensure_future(connection.execute_fetchall(statement, parameters))
    done, _ = await asyncio.wait({query}, timeout=seconds)
    if done:
        return list(query.result())
    await connection.interrupt()
    try:
        return list(await query)  # it ended just as it was to be interrupted
    except sqlite3.OperationalError as error:
        raise TimeoutError(f"the query took longer than {seconds} s") from error
