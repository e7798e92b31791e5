"""`outbox.db`: every claim and every result durable, many of them in one transaction.

Whoever needs something written hands in a step; one writer runs all the steps that wait in one
transaction with one fsync, then answers. A send waits for its claim, the next send to the same
endpoint for the result of the last, and both are usually one commit.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import aiosqlite

from outbox.schema import SCHEMA

Result = TypeVar("Result")
Step = Callable[["Ledger"], Awaitable[Result]]


class _Waiting(NamedTuple):
    step: Step[Any]
    answer: "asyncio.Future[Any]"


class Ledger:
    """The only writer of `outbox.db`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[_Waiting] = []
        self._something = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._database: aiosqlite.Connection

    async def open(self) -> None:
        self._database = await aiosqlite.connect(self._path, isolation_level=None)
        await self.rows("PRAGMA journal_mode = WAL")
        await self.rows("PRAGMA synchronous = FULL")
        await self.rows("PRAGMA wal_autocheckpoint = 8000")
        await self._database.executescript(SCHEMA)
        self._writer = asyncio.create_task(self._write())

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer
        await self._database.close()

    async def write(self, step: Step[Result]) -> Result:
        """Run `step` in the next transaction; return its result once that is durable.

        Raises what the step raises, and `sqlite3.Error` if the transaction cannot be written; then
        nothing of it was.
        """
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(step, answer))
        self._something.set()
        return await answer

    async def rows(self, statement: str, parameters: Iterable[Any] = ()) -> list[Any]:
        """All rows of one statement; within a step, or reading what is durable or about to be."""
        return list(await self._database.execute_fetchall(statement, parameters))

    async def many(self, statement: str, parameters: Iterable[Iterable[Any]]) -> None:
        """Run one statement for each of `parameters`; within a step."""
        await self._database.executemany(statement, parameters)

    async def _write(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            batch, self._waiting = self._waiting, []
            try:
                results = await self._transaction(batch)
            except Exception as error:
                for waiting in batch:
                    if not waiting.answer.cancelled():
                        waiting.answer.set_exception(error)
                continue
            for waiting, result in zip(batch, results, strict=True):
                if not waiting.answer.cancelled():
                    waiting.answer.set_result(result)

    async def _transaction(self, batch: list[_Waiting]) -> list[Any]:
        await self.rows("BEGIN IMMEDIATE")
        try:
            results = [await waiting.step(self) for waiting in batch]
            await self.rows("COMMIT")
        except BaseException:
            # A full disk makes SQLite roll back by itself.
            if self._database.in_transaction:
                with contextlib.suppress(sqlite3.OperationalError):
                    await self.rows("ROLLBACK")
            raise
        return results
