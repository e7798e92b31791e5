"""Workers in processes of their own, started fast: forked from a process that has imported everything."""

import asyncio
import multiprocessing
import signal
from multiprocessing.process import BaseProcess
from typing import Protocol

import uvloop

from campfire.config import Settings
from campfire.logging import configure
from outbox.daemon import Daemon


class _Starting(Protocol):
    def Process(self, *, target: object, args: tuple[object, ...]) -> BaseProcess: ...  # noqa: N802


def _live(environ: dict[str, str]) -> None:
    settings = Settings.from_environment(environ)
    configure(settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Daemon(settings, {}).run())


class Lives:
    """One worker after another on one data directory; what `campfire-outbox run` does, without its start."""

    def __init__(self, settings: Settings) -> None:
        self._environ = settings.environment()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["outbox.daemon", "uvloop"])  # it finds what is installed, not this package
        self._context: _Starting = context

    def begin(self) -> BaseProcess:
        process = self._context.Process(target=_live, args=(self._environ,))
        process.start()
        return process

    def kill(self, process: BaseProcess) -> None:
        """kill -9, and wait until it is gone. It may have ended before by itself."""
        process.kill()
        process.join()
        process.close()

    def stop(self, process: BaseProcess) -> int:
        """SIGTERM; the exit code."""
        process.terminate()
        process.join()
        code = process.exitcode
        process.close()
        return -signal.SIGKILL if code is None else code
