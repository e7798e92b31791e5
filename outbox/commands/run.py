"""`campfire-outbox run`."""

import asyncio
import os
import signal
import threading

import click
import structlog
import uvloop

from campfire.clock import SystemClock
from campfire.command_line import EXIT_CODES_HELP, data_option, settings_from, telling_errors
from campfire.config import Settings
from campfire.eventlog.data_lock import DataLock
from campfire.logging import configure
from outbox.worker import Worker

_LOOK_SECONDS = 0.2

log = structlog.get_logger()


@click.command(epilog=EXIT_CODES_HELP)
@click.option("--supervised", is_flag=True, hidden=True, help="End when the parent does (its end of stdin closes).")
@data_option
@telling_errors
def run(supervised: bool, data: str | None) -> None:
    """Deliver until stopped with Ctrl-C or SIGTERM; what is being sent is finished first.

    The server does this by itself unless CAMPFIRE_OUTBOX=external. One worker a data directory.
    """
    settings = settings_from(data)
    configure(settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings, supervised))


async def _run(settings: Settings, supervised: bool) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if supervised:
        threading.Thread(target=_watch_parent, args=(loop, stopping), daemon=True).start()
    await _wait_for_log(settings, stopping)
    if stopping.is_set():
        return
    with DataLock(settings.data / "outbox.lock", purpose="outbox worker"):
        worker = Worker(settings, SystemClock())
        stop = asyncio.create_task(_stop_when(stopping, worker))
        try:
            await worker.run()
        finally:
            stop.cancel()


def _watch_parent(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    # The descriptor itself: a buffered read would hold a lock that the interpreter needs to end.
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(stopping.set)


async def _wait_for_log(settings: Settings, stopping: asyncio.Event) -> None:
    """A worker that starts before its server waits for it to make the log."""
    said = False
    while not (settings.events_path.exists() and settings.key_path.exists()) and not stopping.is_set():
        if not said:
            log.info("waiting_for_log", path=str(settings.events_path))
            said = True
        try:
            await asyncio.wait_for(stopping.wait(), _LOOK_SECONDS)
        except TimeoutError:
            continue


async def _stop_when(stopping: asyncio.Event, worker: Worker) -> None:
    await stopping.wait()
    worker.stop()
