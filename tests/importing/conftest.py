"""History files, and `campfire-admin import ndjson` to take them."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from faults_support.server_process import ServerProcess

from campfire.admin import main
from campfire.domain.events import Event, ImportProgressed
from campfire.eventlog.reader import LogReader


@dataclass(frozen=True)
class Imports:
    """One data directory, and ways to import into it."""

    data: Path

    def run(self, file: Path, *options: str) -> Result:
        """Import in this process."""
        return CliRunner().invoke(main, ["import", "ndjson", str(file), "--data", str(self.data), "--json", *options])

    def counts(self, file: Path, *options: str) -> dict[str, Any]:
        """Import, which must succeed; what became of the lines."""
        result = self.run(file, *options)
        assert result.exit_code == 0, result.output
        return dict(json.loads(result.stdout))

    def begin(self, file: Path, program: str | Path = "campfire.admin") -> "subprocess.Popen[str]":
        """Import in a process of its own, that can be killed."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CAMPFIRE_")}
        how = [str(program)] if isinstance(program, Path) else ["-m", program]
        command = [sys.executable, *how, "import", "ndjson", str(file), "--data", str(self.data), "--json"]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def position(self) -> int:
        """How far the log has come."""
        if not (self.data / "events.tip").exists():
            return 0
        reader = LogReader(self.data / "events.db")
        try:
            return reader.tip().position
        finally:
            reader.close()

    def content(self) -> list[tuple[int, str, int, Event]]:
        """All of the log but for when it was recorded."""
        reader = LogReader(self.data / "events.db")
        try:
            history = reader.read(0, 10_000_000)
        finally:
            reader.close()
        return [(each.position, each.stream_id, each.version, _timeless(each.event)) for each in history]


def _timeless(event: Event) -> Event:
    return msgspec.structs.replace(event, at=0) if isinstance(event, ImportProgressed) else event


@pytest.fixture(scope="session")
def import_into() -> Callable[[Path], Imports]:
    """Imports into a directory that several tests share."""
    return Imports


@pytest.fixture
def imports(tmp_path: Path) -> Imports:
    return Imports(tmp_path / "data")


@pytest.fixture
def other_imports(tmp_path: Path) -> Imports:
    """Another data directory, to compare with."""
    return Imports(tmp_path / "other")


@pytest.fixture
def server(imports: Imports) -> Iterator[ServerProcess]:
    """A real server on the data directory of `imports`; started by the test."""
    process = ServerProcess(imports.data)
    yield process
    process.end()


WriteHistory = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> WriteHistory:
    """Write lines (objects, or text as it is) to a file, zipped if its name says so."""

    def write_(lines: Iterable[dict[str, Any] | str | bytes], name: str = "history.ndjson") -> Path:
        raw = b"".join(_bytes(line) + b"\n" for line in lines)
        path = tmp_path / name
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return path

    return write_


def _bytes(line: dict[str, Any] | str | bytes) -> bytes:
    if isinstance(line, bytes):
        return line
    return (line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)).encode()
