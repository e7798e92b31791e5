"""One writing process for each data directory, held by a lock of the operating system.

The kernel drops the lock with the process, so nothing stale is left behind by a crash.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from campfire.errors import CampfireError


class DataLock:
    """An exclusive lock on a file that also names its holder. Use as a context manager, or `acquire` and `release`."""

    def __init__(self, path: Path, *, purpose: str = "Campfire server") -> None:
        self._path = path
        self._purpose = purpose
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock at once. Raises `CampfireError` `DATA_DIRECTORY_IN_USE` naming the holder's pid."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 100, 0).decode(errors="replace").strip() or "an unknown process"
            os.close(descriptor)
            raise CampfireError(
                "DATA_DIRECTORY_IN_USE", f"{self._path.parent} is in use by {holder}. Only one may write there."
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{self._purpose} with pid {os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> "DataLock":
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def holder_of(path: Path) -> str | None:
    """Who holds the lock on a file now, in words; None if nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        # Shared, so that those who look do not see each other; whoever takes the lock meanwhile tries again.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 100, 0).decode(errors="replace").strip() or "an unknown process"
    finally:
        os.close(descriptor)
    return None
