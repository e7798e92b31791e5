"""A file that is arriving: written and hashed piece by piece, then kept or thrown away."""

import hashlib
import os
from pathlib import Path


class IncomingFile:
    """One file on its way in. Blocks on the disk, so use it in a thread, one call at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hash = hashlib.sha256()
        self._descriptor: int | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of all that was written, in lowercase hex."""
        return self._hash.hexdigest()

    def write(self, data: bytes | bytearray) -> None:
        """Append `data`; the first call makes the file, mode 600. Raises `OSError`."""
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._hash.update(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def finish(self) -> None:
        """Make the content durable. Raises `OSError`."""
        if self._descriptor is not None:
            os.fsync(self._descriptor)
            self._close()

    def discard(self) -> None:
        """Leave nothing behind, however far it came; nothing at all if it was moved to its place."""
        self._close()
        self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)
