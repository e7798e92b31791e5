"""A real server in a real process, that can be killed and started again on the same data."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from campfire.errors import CampfireError

READY = "Campfire is ready at "


class ServerProcess:
    """`campfire serve` on a free port. `entry` replaces the program, for servers that are broken on purpose."""

    def __init__(self, data: Path, *, entry: Path | None = None, **settings: str) -> None:
        self.data = data
        self.url = ""
        self.output: list[str] = []
        self._command = [sys.executable, str(entry)] if entry else [sys.executable, "-m", "campfire.cli", "serve"]
        # Without link previews: no test asks anybody outside for anything.
        self._settings = {
            "CAMPFIRE_OUTBOX": "external",
            "CAMPFIRE_HOST": "127.0.0.1",
            "CAMPFIRE_PORT": "0",
            "CAMPFIRE_LINK_PREVIEWS": "off",
        } | settings
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it is ready. Raises `CampfireError` if it ends instead."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CAMPFIRE_")}
        environment |= {"CAMPFIRE_DATA": str(self.data), **self._settings}
        self._process = subprocess.Popen(
            self._command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line.rstrip())
            if line.startswith(READY):
                self.url = line.removeprefix(READY).strip().replace("localhost", "127.0.0.1")
                self._reader = threading.Thread(target=self._read_on, daemon=True)
                self._reader.start()
                return
        code = self._process.wait()
        raise CampfireError("INTERNAL_ERROR", f"the server ended with {code}: {self.output[-20:]}", exit_code=code)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self._signal(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; return the exit code."""
        return self._signal(signal.SIGTERM)

    def end(self) -> None:
        """Leave nothing running."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _signal(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        code = self._process.wait()
        if self._reader is not None:
            self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def _read_on(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line.rstrip())
