"""Opening an export that somebody brings: proved from the first byte to the last before anything is done with it."""

import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from campfire.domain.events import Event
from campfire.errors import CampfireError
from campfire.eventlog.codec import EventCodec
from campfire.eventlog.errors import UnknownTopic
from campfire.exports.form import (
    BLOB,
    EVENTS,
    FORMAT,
    KEY,
    LONGEST_LINE,
    MANIFEST,
    PEOPLE,
    ROOMS,
    TABLES,
    FileFacts,
    Kind,
    Line,
    Manifest,
    PersonLine,
    RoomLine,
)
from campfire.exports.progress import Progress

Shape = TypeVar("Shape")

_LARGEST_MANIFEST = 1 << 20
_CHUNK = 1 << 20
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def unusable(detail: str) -> CampfireError:
    """Why an export cannot be imported."""
    return CampfireError("EXPORT_UNUSABLE", detail)


class Archive:
    """An export that has been proved. It lies in a directory that nobody else changes meanwhile."""

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        self.directory = directory
        self.manifest = manifest
        self._codec = EventCodec()

    def events(self) -> Iterator[tuple[Line, Event]]:
        """The events in order. Raises `CampfireError` `EXPORT_UNUSABLE` naming the line that is none of ours."""
        for number, line in enumerate(self._lines(EVENTS, Line), 1):
            topic = f"{line.topic}:{line.schema}"
            try:
                event = self._codec.decode(topic, bytes(line.data))
            except UnknownTopic as error:
                raise unusable(f"{EVENTS} line {number}: {error}.") from error
            except (msgspec.MsgspecError, ValueError, KeyError) as error:
                raise unusable(f"{EVENTS} line {number}: no {line.topic} event: {error}.") from error
            if not _ID.fullmatch(line.stream_id) or line.version < 1 or line.recorded_at < 0:
                raise unusable(f"{EVENTS} line {number}: no event has such a stream, version or time.")
            yield line, event

    def rooms(self) -> list[RoomLine]:
        return list(self._lines(ROOMS, RoomLine))

    def people(self) -> list[PersonLine]:
        return list(self._lines(PEOPLE, PersonLine))

    def blobs(self) -> Iterator[tuple[str, Path]]:
        """Digest and file of each blob."""
        for path in sorted((self.directory / "blobs").glob("*")):
            yield path.name, path

    def key(self) -> bytes | None:
        """The server's key, if whoever exported wanted it in."""
        path = self.directory / KEY
        return path.read_bytes() if path.is_file() else None

    def _lines(self, name: str, shape: type[Shape]) -> Iterator[Shape]:
        if name not in self.manifest.files:
            return
        decode = msgspec.json.Decoder(shape).decode
        with (self.directory / name).open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise unusable(f"{name} line {number} is longer than {LONGEST_LINE} bytes.")
                try:
                    yield decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                    raise unusable(f"{name} line {number}: {error}.") from error


@contextmanager
def opened(path: Path, kind: Kind, progress: Progress) -> Iterator[Archive]:
    """Open the export at `path`, a directory or a tar (also gzipped), and prove it. Blocks.

    Raises `CampfireError` `EXPORT_UNUSABLE`: not an export of this kind, of a newer form, damaged, cut short, or
    made to do harm. Nothing but a temporary directory beside it has been written then.
    """
    if path.is_dir():
        yield _proved(path, kind, progress)
        return
    with tempfile.TemporaryDirectory(prefix="campfire-import-", dir=path.absolute().parent) as temporary:
        directory = Path(temporary)
        try:
            _unpack(path, directory)
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise unusable(f"{path} cannot be read to its end: {error}.") from error
        yield _proved(directory, kind, progress)


def _unpack(path: Path, directory: Path) -> None:
    """Take from a tar the files that an export has, none larger than its manifest says, and nothing else."""
    (directory / "blobs").mkdir(mode=0o700)
    left = _LARGEST_MANIFEST
    manifest: Manifest | None = None
    with tarfile.open(path, "r|*") as tar:
        for entry in tar:
            name = entry.name
            known = name == MANIFEST if manifest is None else name in manifest.files or BLOB.fullmatch(name)
            if not known or not entry.isreg() or (directory / name).exists():
                raise unusable(f"{path} holds {name[:200]!r}, which no export has at that place.")
            left -= entry.size
            if left < 0:
                raise unusable(f"{path} holds more than its {MANIFEST} says.")
            source = tar.extractfile(entry)
            assert source is not None
            with (directory / name).open("xb") as file:
                shutil.copyfileobj(source, file, _CHUNK)
            if (directory / name).stat().st_size != entry.size:
                raise unusable(f"{path} ends within {name}.")
            if manifest is None:
                manifest = _manifest(directory)
                left = sum(facts.bytes for facts in manifest.files.values()) + manifest.blob_bytes
                if left > shutil.disk_usage(directory).free:
                    raise unusable(f"{path} says that it holds {left:,} bytes; there is no room for them here.")


def _proved(directory: Path, kind: Kind, progress: Progress) -> Archive:
    manifest = _manifest(directory)
    if manifest.kind != kind:
        raise unusable(f"It is an export of kind {manifest.kind}; import it as that.")
    if EVENTS not in manifest.files or (kind != "account" and ROOMS not in manifest.files):
        raise unusable(f"Its {MANIFEST} does not name all the files that it needs.")
    total = sum(facts.bytes for facts in manifest.files.values()) + manifest.blob_bytes
    done = 0
    for name, facts in manifest.files.items():
        if _facts(directory / name) != facts:
            raise unusable(f"{name} is not the file that was exported: it was changed or cut short.")
        done += facts.bytes
        progress(done, total)
    count = size = 0
    for path in (directory / "blobs").glob("*"):
        if _facts(path).sha256 != path.name:
            raise unusable(f"blobs/{path.name} does not hold what its name says.")
        count, size = count + 1, size + path.stat().st_size
        progress(min(total, done + size), total)
    if (count, size) != (manifest.blobs, manifest.blob_bytes):
        raise unusable(f"It should hold {manifest.blobs} blobs of {manifest.blob_bytes} bytes, not {count} of {size}.")
    archive = Archive(directory, manifest)
    for _ in archive.events():
        pass
    archive.rooms(), archive.people()
    return archive


def _manifest(directory: Path) -> Manifest:
    try:
        with _plain(directory / MANIFEST) as file:
            raw = file.read(_LARGEST_MANIFEST)
        form = msgspec.json.decode(raw, type=dict[str, Any]).get("format")
        if form != FORMAT:
            raise unusable(f"It has form {form}; this version reads form {FORMAT}.")
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise unusable(f"There is no {MANIFEST}: it is no export, or one that was interrupted.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unusable(f"{MANIFEST} cannot be read: {error}.") from error
    sizes = [facts.bytes for facts in manifest.files.values()] + [manifest.blob_bytes, manifest.blobs]
    if not set(manifest.files) <= set(TABLES) or min(sizes) < 0:
        raise unusable(f"{MANIFEST} names files that no export has.")
    return manifest


def _facts(path: Path) -> FileFacts:
    """Raises `CampfireError` if it is no file by itself."""
    digest, size, lines = sha256(), 0, 0
    try:
        with _plain(path) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                lines += chunk.count(b"\n")
    except OSError as error:
        raise unusable(f"{path.name} cannot be read: {error}.") from error
    return FileFacts(lines, size, digest.hexdigest())


def _plain(path: Path) -> BinaryIO:
    """A file, and no link to one elsewhere."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK), "rb")
