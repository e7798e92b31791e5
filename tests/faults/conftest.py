from collections.abc import Iterator
from pathlib import Path

import pytest
from faults_support.server_process import ServerProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A real server process on its own data directory; started by the test."""
    process = ServerProcess(tmp_path / "data")
    yield process
    process.end()
