"""The worker's process: signals, systemd, metrics, and one worker after another if the lease is lost."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog

from campfire.clock import SystemClock
from campfire.config import Settings
from outbox.lease import LeaseLost
from outbox.metrics import Metrics
from outbox.metrics_site import metrics_site
from outbox.notify import Notifier
from outbox.patience import wait_for
from outbox.worker import Worker

_LOOK_SECONDS = 0.2

log = structlog.get_logger()


class Daemon:
    """Runs until SIGTERM or SIGINT, and finishes what is on its way; a second signal ends it at once.

    With `supervised` it ends when its standard input does, and speaks to no systemd: that is its parent's to do.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str], *, supervised: bool = False) -> None:
        self._settings = settings
        self._supervised = supervised
        self._notifier = Notifier.from_environment({} if supervised else environ)
        self._metrics = Metrics()
        self._stopping = asyncio.Event()
        self._worker: Worker | None = None

    async def run(self) -> None:
        """Raises what `Worker.run` raises but `LeaseLost`, and `CONFIGURATION_INVALID` if metrics cannot be served."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        if self._supervised:
            threading.Thread(target=self._watch_parent, args=(loop,), daemon=True).start()
        async with _beside(self._notifier.watch()):
            await self._wait_for_log()
            async with metrics_site(self._settings, self._metrics):
                while not self._stopping.is_set():
                    await self._deliver()

    def stop(self) -> None:
        """The first time gracefully, the second time at once."""
        if not self._stopping.is_set():
            log.info("stopping")
            self._stopping.set()
            self._metrics.state = "stopping"
            self._notifier.stopping()
            if self._worker is not None:
                self._worker.stop()
        elif self._worker is not None:
            self._worker.stop_at_once()

    async def _deliver(self) -> None:
        self._worker = Worker(self._settings, SystemClock(), metrics=self._metrics, notifier=self._notifier)
        try:
            await self._worker.run()
        except LeaseLost as error:
            log.error("lease_lost", error=str(error))

    async def _wait_for_log(self) -> None:
        """A worker that starts before its server waits for it to make the log."""
        settings, said = self._settings, False
        while not (settings.events_path.exists() and settings.key_path.exists()) and not self._stopping.is_set():
            if not said:
                log.info("waiting_for_log", path=str(settings.events_path))
                self._notifier.status("waiting for the server to make the log")
                said = True
            await wait_for(self._stopping, _LOOK_SECONDS)

    def _watch_parent(self, loop: asyncio.AbstractEventLoop) -> None:
        # The descriptor itself: a buffered read would hold a lock that the interpreter needs to end.
        while os.read(0, 4096):
            pass
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself meanwhile
            loop.call_soon_threadsafe(self.stop)


@asynccontextmanager
async def _beside(running: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run it in the background for as long as this lasts."""
    task = asyncio.create_task(running)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
