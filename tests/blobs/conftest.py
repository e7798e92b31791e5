from pathlib import Path

import pytest

from campfire.blobs.store import BlobStore


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data" / "blobs"


@pytest.fixture
def store(directory: Path) -> BlobStore:
    return BlobStore(directory)
