"""Reading the read models: a few read-only aiosqlite connections that take turns."""

import asyncio
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aiosqlite

from campfire.errors import CampfireError

_CONNECTIONS = 3
_CACHE_KIB = 16_384
_STEPS_BETWEEN_LOOKS = 10_000
"""Steps of SQLite's machine, a fraction of a millisecond, between two looks at the deadline."""


class ReadModels:
    """Queries run side by side on up to `connections` threads; `reopen` after the file was swapped."""

    def __init__(self, path: Path, connections: int = _CONNECTIONS) -> None:
        self._path = path
        self._wanted = connections
        # Unbounded, but never holds more than the connections that there are. None: closed for good.
        self._idle: asyncio.LifoQueue[_Connection | None] = asyncio.LifoQueue()
        self._current: frozenset[_Connection] = frozenset()
        self._closing: set[asyncio.Task[None]] = set()
        self._with_deadline = asyncio.Semaphore(max(1, connections - 1))

    async def open(self) -> None:
        """Raises `sqlite3.Error` if the file cannot be read."""
        self._use(await self._connect_all())

    async def close(self) -> None:
        """Wait for the queries that run, then close; those that still wait are refused."""
        for _ in range(self._wanted):
            await (await self._taken()).close()
        self._idle.put_nowait(None)
        await asyncio.gather(*self._closing)

    async def reopen(self) -> None:
        """Move to the file that is at the path now: every query that begins from here on reads that one.

        Nobody waits: a query that runs ends on the old file, whose connection is then closed.
        """
        fresh = await self._connect_all()
        outdated = [self._idle.get_nowait() for _ in range(self._idle.qsize())]
        self._use(fresh)
        for connection in outdated:
            self._give_back(connection)

    async def rows(self, statement: str, parameters: Iterable[Any] = (), *, seconds: float | None = None) -> list[Any]:
        """All rows of one statement.

        Raises `TimeoutError` if it takes longer than `seconds` (while the statement runs; waiting for a
        connection does not count), `sqlite3.Error`, and `CampfireError` `SHUTTING_DOWN` once closed.
        """
        if seconds is None:
            return await self._rows(statement, parameters, None)
        # What may take long leaves a connection to what does not: no flood of searches keeps people from reading.
        async with self._with_deadline:
            return await self._rows(statement, parameters, seconds)

    async def _rows(self, statement: str, parameters: Iterable[Any], seconds: float | None) -> list[Any]:
        connection = await self._taken()
        query = asyncio.ensure_future(connection.rows(statement, parameters, seconds))
        # Only the query's own end frees the connection: who asked may have gone before it.
        query.add_done_callback(lambda _: self._give_back(connection))
        try:
            return await asyncio.shield(query)
        except asyncio.CancelledError:
            connection.give_up()
            query.add_done_callback(_forget)
            raise

    def _use(self, connections: list["_Connection"]) -> None:
        self._current = frozenset(connections)
        for connection in connections:
            self._idle.put_nowait(connection)

    def _give_back(self, connection: "_Connection | None") -> None:
        """Let the next query have the connection, or close it if the file has been swapped meanwhile."""
        if connection is None or connection in self._current:
            self._idle.put_nowait(connection)
            return
        closing = asyncio.ensure_future(connection.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _taken(self) -> "_Connection":
        connection = await self._idle.get()
        if connection is None:
            self._idle.put_nowait(None)
            raise CampfireError("SHUTTING_DOWN", retry_after=5)
        return connection

    async def _connect_all(self) -> list["_Connection"]:
        connected: list[_Connection] = []
        try:
            for _ in range(self._wanted):
                connected.append(await _Connection.open(self._path))
        except BaseException:
            for connection in connected:
                await connection.close()
            raise
        return connected


class _Connection:
    """One connection with a deadline for the query that it is running (`time.monotonic`)."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._deadline = float("inf")

    @classmethod
    async def open(cls, path: Path) -> "_Connection":
        connection = await aiosqlite.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        mine = cls(connection)
        try:
            await connection.execute_fetchall(f"PRAGMA cache_size = -{_CACHE_KIB}")
            # SQLite finds the WAL by name at the first read; after a swap that would be another file's.
            await connection.execute_fetchall("SELECT COUNT(*) FROM sqlite_schema")
            await connection.set_progress_handler(mine._is_overdue, _STEPS_BETWEEN_LOOKS)
        except BaseException:
            await connection.close()
            raise
        return mine

    async def rows(self, statement: str, parameters: Iterable[Any], seconds: float | None) -> list[Any]:
        self._deadline = float("inf") if seconds is None else time.monotonic() + seconds
        try:
            return list(await self._connection.execute_fetchall(statement, parameters))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise TimeoutError(f"the query took longer than {seconds} s") from error
            raise

    def give_up(self) -> None:
        """Let the query that runs end with its next step."""
        self._deadline = 0.0

    async def close(self) -> None:
        await self._connection.close()

    def _is_overdue(self) -> bool:
        return time.monotonic() > self._deadline


def _forget(query: "asyncio.Future[list[Any]]") -> None:
    """Take the outcome of a query that nobody waits for any more, so that asyncio does not report it."""
    if not query.cancelled():
        query.exception()
