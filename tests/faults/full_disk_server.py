"""A server whose disk is full whenever a file says so: SQLite's page limit, which is exact and harmless."""

import asyncio
import os
from pathlib import Path

from campfire.cli import main
from campfire.engine import Engine

full = Path(os.environ["CAMPFIRE_DATA"]).with_name("disk-is-full")
open_engine = Engine.open.__func__  # type: ignore[attr-defined]
watchers: list["asyncio.Task[None]"] = []


async def open_watched(cls: type[Engine], *arguments: object, **options: object) -> Engine:
    engine: Engine = await open_engine(cls, *arguments, **options)

    async def watch() -> None:
        while True:
            engine.limit_log_pages(1 if full.exists() else 1_000_000)
            await asyncio.sleep(0.01)

    watchers.append(asyncio.create_task(watch()))
    return engine


Engine.open = classmethod(open_watched)  # type: ignore[assignment, method-assign]
main(["serve"])
