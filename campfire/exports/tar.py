"""A finished export as one tar, piece by piece."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

from campfire.exports.form import MANIFEST, TABLES

_CHUNK = 256 * 1024


def tar_of(directory: Path, *, at: float) -> Iterator[bytes]:
    """The bytes of a tar (ustar) of an export, at most 256 KiB at once; `at` (seconds) is every file's time.

    The manifest comes first, so that whoever reads knows what to expect. Raises `OSError`.
    """
    names = [name for name in (MANIFEST, *TABLES) if (directory / name).exists()]
    names += [f"blobs/{path.name}" for path in sorted((directory / "blobs").glob("*"))]
    for name in names:
        with (directory / name).open("rb") as file:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = (directory / name).stat().st_size, int(at), 0o600
            yield entry.tobuf(tarfile.GNU_FORMAT)
            while chunk := file.read(_CHUNK):
                yield chunk
            if padding := -entry.size % tarfile.BLOCKSIZE:
                yield bytes(padding)
    yield bytes(2 * tarfile.BLOCKSIZE)
