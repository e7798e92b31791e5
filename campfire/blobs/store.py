"""Files by what they hold: the same content is stored once, under the SHA-256 of itself.

`directory/ab/cd/<digest>` are the blobs, `directory/incoming/<random>` what is still arriving.
A blob never changes, so whoever reads one needs no lock.
"""

import errno
import os
import re
import secrets
import threading
from collections.abc import AsyncIterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from campfire.blobs.incoming import IncomingFile
from campfire.blobs.private_directories import make_private, sync_directory
from campfire.blobs.threads import in_thread
from campfire.errors import CampfireError

_GATHER_BYTES = 1 << 20
"""Small pieces are put together up to this, so that a thread is worth its start."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Blob(msgspec.Struct, frozen=True):
    """What was stored: the SHA-256 of its content in lowercase hex, and its size in bytes."""

    digest: str
    size: int


class BlobStore:
    """The blobs of one server. One process may write there; any may read.

    All but `take` touch the disk in the caller's thread.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._incoming = directory / "incoming"
        # Between "it is there already" and "it is old enough to go" lies the loss of somebody's file.
        self._coming_or_going = threading.Lock()

    async def take(self, chunks: AsyncIterable[bytes], limit: int) -> Blob:
        """Store what `chunks` yields, at most `limit` bytes. Durable when it returns, and its mtime is now.

        Holds about 1 MiB of it in memory, beside the chunk at hand. Raises `CampfireError`:
        `PAYLOAD_TOO_LARGE` at the first chunk beyond the limit, `VALIDATION_FAILED` for an empty file,
        `DISK_FULL`. After a failure or a cancellation nothing of it is left.
        """
        incoming = IncomingFile(self._incoming / secrets.token_hex(16))
        try:
            await in_thread(lambda: make_private(self._incoming))
            size = await _receive(chunks, limit, incoming)
            await in_thread(lambda: self._keep(incoming))
            return Blob(incoming.digest, size)
        except OSError as error:
            if is_disk_full(error):
                raise CampfireError("DISK_FULL", retry_after=5) from error
            raise
        finally:
            await in_thread(incoming.discard)

    def path(self, digest: str) -> Path:
        """Where the blob is, or would be. Raises `ValueError` for what is not 64 lowercase hex digits."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is not a SHA-256 in lowercase hex")
        return self._directory / digest[:2] / digest[2:4] / digest

    def exists(self, digest: str) -> bool:
        """Whether the blob is there. Raises `ValueError` like `path`."""
        return self.path(digest).is_file()

    def open(self, digest: str) -> BinaryIO:
        """The blob to read from. Raises `FileNotFoundError`, and `ValueError` like `path`."""
        return self.path(digest).open("rb")

    def head(self, digest: str, length: int) -> bytes:
        """The first `length` bytes of the blob, or all if it is shorter. Raises like `open`."""
        with self.open(digest) as file:
            return file.read(length)

    def remove(self, digest: str, *, unless_newer_than: float | None = None) -> bool:
        """Remove the blob and return whether it went. Raises `ValueError` like `path`.

        A collector gives as `unless_newer_than` the mtime that it judged by (seconds since the epoch, as
        `digests` yields it): a blob that was taken again since then stays.
        """
        path = self.path(digest)
        with self._coming_or_going:
            try:
                if unless_newer_than is not None and path.stat().st_mtime > unless_newer_than:
                    return False
                path.unlink()
            except FileNotFoundError:
                return False
        return True

    def digests(self) -> Iterator[tuple[str, float]]:
        """Every blob with its mtime in seconds since the epoch, in no order; what goes meanwhile may be missing."""
        for path in self._directory.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*"):
            if _DIGEST.fullmatch(path.name) and (modified := _modified(path)) is not None:
                yield path.name, modified

    def discard_incoming(self, older_than_seconds: float, now: float) -> int:
        """Remove what a crash left half arrived, and return how many files that were.

        Old is what nothing was written to for `older_than_seconds` before `now` (seconds since the epoch);
        give more than the longest pause that an upload may make.
        """
        removed = 0
        for path in self._incoming.glob("*"):
            modified = _modified(path)
            if modified is not None and modified < now - older_than_seconds:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _keep(self, incoming: IncomingFile) -> None:
        """Move it to its place, or find that the place is taken by the same content."""
        incoming.finish()
        place = self.path(incoming.digest)
        with self._coming_or_going:
            make_private(place.parent)
            try:
                os.utime(place)
            except FileNotFoundError:
                incoming.path.rename(place)
        # Also when it was there: who put it there may not have come this far yet.
        sync_directory(place.parent)


def is_disk_full(error: OSError) -> bool:
    """Whether there was no room for what was to be written, on the disk or in somebody's quota."""
    return error.errno in _FULL


async def _receive(chunks: AsyncIterable[bytes], limit: int, incoming: IncomingFile) -> int:
    size = 0
    gathered = bytearray()
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise CampfireError("PAYLOAD_TOO_LARGE", f"The file is larger than {limit} bytes.")
        gathered += chunk
        if len(gathered) >= _GATHER_BYTES:
            await _write(incoming, gathered)
            gathered = bytearray()
    if size == 0:
        raise CampfireError("VALIDATION_FAILED", "The file is empty.")
    await _write(incoming, gathered)
    return size


async def _write(incoming: IncomingFile, data: bytearray) -> None:
    await in_thread(lambda: incoming.write(data))


def _modified(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None
