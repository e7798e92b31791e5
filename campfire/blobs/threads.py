"""Disk work in its thread, never left behind there."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def in_thread(work: Callable[[], Result]) -> Result:
    """Like `asyncio.to_thread`, but a cancellation is passed on only when `work` has ended.

    A thread cannot be stopped. Whoever tidies up after a cancellation would otherwise close the
    descriptor that it is still writing to.
    """
    # A future and not a task, since `asyncio.run` cancels all tasks when it ends, shielded or not.
    job = asyncio.get_running_loop().run_in_executor(None, work)
    cancelled: asyncio.CancelledError | None = None
    while not job.done():
        try:
            await asyncio.wait([job])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        job.exception()  # seen, so that nobody reports it as forgotten
        raise cancelled
    return job.result()
