"""The outbox worker as a child of the server: started, restarted when it dies, stopped with the server."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator

import backoff
import structlog

from campfire.config import Settings

_GRACE_SECONDS = 5
"""Beyond what the worker allows itself for finishing."""
_STEADY_SECONDS = 60
"""A worker that ran this long was well; the next failure starts the waits anew."""

log = structlog.get_logger()


class OutboxChild:
    """Supervises one worker process. It also ends by itself when this process is gone."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._supervisor = asyncio.create_task(self._supervise())

    async def stop(self) -> None:
        """Ask it to finish what it is sending, then wait; kill it if it takes too long."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), self._settings.outbox_stop_seconds + _GRACE_SECONDS)
        except TimeoutError:
            log.warning("outbox_worker_killed", pid=process.pid)
            process.kill()
            await process.wait()

    async def _supervise(self) -> None:
        waits = _waits()
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "outbox.cli",
                "run",
                "--supervised",
                stdin=asyncio.subprocess.PIPE,
                # As they are in force: a command line may have changed them.
                env={**os.environ, **self._settings.environment()},
            )
            code = await self._process.wait()
            if loop.time() - began > _STEADY_SECONDS:
                waits = _waits()
            wait = next(waits)
            log.error("outbox_worker_ended", code=code, restart_in_seconds=wait)
            await asyncio.sleep(wait)


def _waits() -> Iterator[float]:
    waits = backoff.expo(factor=0.5, max_value=30)
    next(waits)  # the package's generators begin with an empty step
    return waits
