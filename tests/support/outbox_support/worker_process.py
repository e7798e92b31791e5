"""The outbox worker in a real process."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO


class WorkerProcess:
    """`campfire-outbox run` on a data directory, with receivers on loopback allowed.

    `entry` replaces the program, for workers that are held at a certain point.
    """

    def __init__(self, data: Path, *, entry: Path | None = None, **settings: str) -> None:
        self._command = [sys.executable, str(entry)] if entry else [sys.executable, "-m", "outbox.cli", "run"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CAMPFIRE_")}
        environment |= {"CAMPFIRE_DATA": str(data), "CAMPFIRE_WEBHOOK_ALLOW": "127.0.0.0/8", **settings}
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, stderr: IO[bytes] | None = None) -> None:
        self._process = subprocess.Popen(self._command, env=self._environment, stderr=stderr)

    def send(self, number: signal.Signals) -> None:
        """Send a signal and go on."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for the end, return the exit code."""
        assert self._process is not None
        return self._process.wait(60)

    def signal(self, number: signal.Signals) -> int:
        """Send a signal, wait for the end, return the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait()

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGKILL)
