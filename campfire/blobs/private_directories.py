"""Directories for the owner only, that outlive a power cut."""

import os
from pathlib import Path


def make_private(directory: Path) -> None:
    """Make `directory` and its missing parents with mode 700; those that are there stay. Durable when it returns."""
    if directory.is_dir():
        return
    make_private(directory.parent)
    directory.mkdir(mode=0o700, exist_ok=True)
    sync_directory(directory.parent)


def sync_directory(directory: Path) -> None:
    """Make durable which names `directory` holds."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
