import asyncio
import errno
import hashlib
import os
import stat
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from campfire.blobs.store import Blob, BlobStore
from campfire.errors import CampfireError

MIB = 1 << 20
HELLO = hashlib.sha256(b"hello").hexdigest()


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def endless(chunk: bytes = b"x" * MIB) -> AsyncIterator[bytes]:
    while True:
        yield chunk


async def zeros(total: int) -> AsyncIterator[bytes]:
    """Pieces as a socket gives them, each a new object."""
    for _ in range(total // 65_536):
        yield bytes(65_536)


def incoming(directory: Path) -> list[Path]:
    return list((directory / "incoming").glob("*"))


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


async def refusal(store: BlobStore, chunks: AsyncIterator[bytes], limit: int = MIB) -> CampfireError:
    with pytest.raises(CampfireError) as refused:
        await store.take(chunks, limit)
    return refused.value


async def test_what_was_taken_can_be_read(store: BlobStore, directory: Path) -> None:
    """Under the SHA-256 of its content, in whatever pieces it came."""
    assert await store.take(stream(b"he", b"", b"llo"), 5) == Blob(HELLO, 5)
    assert store.path(HELLO) == directory / HELLO[:2] / HELLO[2:4] / HELLO
    assert store.exists(HELLO) and store.head(HELLO, 2) == b"he"
    with store.open(HELLO) as file:
        assert file.read() == b"hello"
    assert [digest for digest, _ in store.digests()] == [HELLO] and not incoming(directory)


async def test_a_file_beyond_the_limit_is_refused_at_once(store: BlobStore, directory: Path) -> None:
    """However much more would have come; one that just fits is taken."""
    assert (await refusal(store, endless(), 3 * MIB)).code == "PAYLOAD_TOO_LARGE"
    assert (await refusal(store, stream(b"hello!"), 5)).code == "PAYLOAD_TOO_LARGE"
    assert files(directory) == []


@pytest.mark.parametrize("chunks", [(), (b"",), (b"", b"")])
async def test_an_empty_file_is_refused(store: BlobStore, directory: Path, chunks: tuple[bytes, ...]) -> None:
    """Nobody means to send one."""
    error = await refusal(store, stream(*chunks))
    assert (error.code, error.detail) == ("VALIDATION_FAILED", "The file is empty.")
    assert files(directory) == []


async def test_a_large_file_never_lies_in_memory(store: BlobStore) -> None:
    """64 MiB need less than 8 MiB."""
    tracemalloc.start()
    try:
        blob = await store.take(zeros(64 * MIB), 64 * MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert blob.size == 64 * MIB == store.path(blob.digest).stat().st_size
    assert peak < 8 * MIB


async def test_a_sender_that_breaks_off_leaves_nothing(store: BlobStore, directory: Path) -> None:
    """And the caller learns of it as it happened."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 2 * MIB
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.take(broken(), 10 * MIB)
    assert files(directory) == []


async def test_a_cancelled_upload_leaves_nothing(store: BlobStore, directory: Path) -> None:
    """While it waits for the sender."""
    arrived = asyncio.Event()

    async def hanging() -> AsyncIterator[bytes]:
        yield b"x" * 2 * MIB
        arrived.set()
        await asyncio.Event().wait()

    taking = asyncio.create_task(store.take(hanging(), 10 * MIB))
    await arrived.wait()
    assert len(incoming(directory)) == 1
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert files(directory) == []


async def test_an_upload_cancelled_while_it_writes_leaves_nothing(
    store: BlobStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread at the disk is waited for, even by somebody who cancels twice."""
    writing, go_on, write = threading.Event(), threading.Event(), os.write

    def slow_write(descriptor: int, data: bytes) -> int:
        writing.set()
        go_on.wait()
        return write(descriptor, data)

    monkeypatch.setattr("campfire.blobs.incoming.os.write", slow_write)
    taking = asyncio.create_task(store.take(endless(), 10 * MIB))
    await asyncio.to_thread(writing.wait)
    for _ in range(2):
        taking.cancel()
        await asyncio.sleep(0.01)
    assert not taking.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert files(directory) == []


async def test_uploads_cancelled_at_any_moment_leave_nothing_half_done(store: BlobStore, directory: Path) -> None:
    """Either the whole blob is there or nothing of it."""
    for moment in range(40):
        content = b"%d" % moment * MIB
        taking = asyncio.create_task(store.take(stream(*[content] * 3), 100 * MIB))
        await asyncio.sleep(moment / 2000)
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        assert not incoming(directory)
        for digest, _ in store.digests():
            assert hashlib.sha256(store.path(digest).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
async def test_a_full_disk_is_told_and_leaves_nothing(
    store: BlobStore, directory: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    """The sender may try again in five seconds."""
    with monkeypatch.context() as patched:
        patched.setattr(f"campfire.blobs.incoming.os.{call}", full(number))
        error = await refusal(store, stream(b"hello"))
    assert (error.code, error.retry_after) == ("DISK_FULL", 5)
    assert files(directory) == []
    assert await store.take(stream(b"hello"), 5) == Blob(HELLO, 5)


async def test_another_trouble_with_the_disk_is_not_called_full(
    store: BlobStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes up as it is."""
    monkeypatch.setattr("campfire.blobs.incoming.os.write", full(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        await store.take(stream(b"hello"), 5)
    assert files(directory) == []


def full(number: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


async def test_the_same_content_is_stored_once(store: BlobStore, directory: Path) -> None:
    """Whoever sends it, and also when they do at the same time."""
    blobs = await asyncio.gather(*(store.take(stream(b"hel", b"lo"), 5) for _ in range(8)))
    assert set(blobs) == {Blob(HELLO, 5)}
    assert files(directory) == [HELLO]


async def test_what_is_taken_again_is_young_again(store: BlobStore) -> None:
    """A collector that was about to remove it leaves it."""
    await store.take(stream(b"hello"), 5)
    os.utime(store.path(HELLO), (1000, 1000))
    [(digest, modified)] = store.digests()
    assert modified == 1000
    await store.take(stream(b"hello"), 5)
    assert not store.remove(digest, unless_newer_than=modified)
    assert store.exists(HELLO)


async def test_a_blob_that_nobody_took_again_goes(store: BlobStore, directory: Path) -> None:
    """Also without a condition; what is gone already is no error."""
    await store.take(stream(b"hello"), 5)
    [(digest, modified)] = store.digests()
    assert store.remove(digest, unless_newer_than=modified) and not store.exists(digest)
    assert not store.remove(digest, unless_newer_than=modified)
    await store.take(stream(b"hello"), 5)
    assert store.remove(digest) and not store.remove(digest)
    assert files(directory) == []


async def test_all_is_for_the_owner_only(store: BlobStore, directory: Path) -> None:
    """Files have mode 600 and directories 700, whatever the umask."""
    before = os.umask(0)
    try:
        await store.take(stream(b"hello"), 5)
    finally:
        os.umask(before)
    for path in (directory.parent, directory, *directory.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize(
    "digest", ["", "../../etc/passwd", HELLO[:-1], HELLO + "0", HELLO.upper(), HELLO + "\n", "g" * 64, "٣" * 64]
)
def test_what_is_not_a_digest_leads_nowhere(store: BlobStore, digest: str) -> None:
    """No name that somebody made up reaches the disk."""
    for look in (store.path, store.exists, store.open, store.remove):
        with pytest.raises(ValueError, match="SHA-256"):
            look(digest)


def test_a_store_without_blobs_is_empty(store: BlobStore) -> None:
    """Even before its directory is there."""
    assert list(store.digests()) == [] and not store.exists(HELLO)
    assert store.discard_incoming(0, 1e10) == 0


async def test_what_a_crash_left_half_arrived_is_discarded_when_it_is_old(store: BlobStore, directory: Path) -> None:
    """What may still be arriving stays, and so do the blobs."""
    await store.take(stream(b"hello"), 5)
    for name, modified in (("old", 1000), ("new", 1900)):
        path = directory / "incoming" / name
        path.write_bytes(b"half")
        os.utime(path, (modified, modified))
    assert store.discard_incoming(older_than_seconds=600, now=2000) == 1
    assert [path.name for path in incoming(directory)] == ["new"]
    assert store.exists(HELLO)


async def test_strangers_in_the_directory_are_not_blobs(store: BlobStore, directory: Path) -> None:
    """What is still arriving, or was put there by somebody else, is nothing for a collector."""
    await store.take(stream(b"hello"), 5)
    (directory / "incoming" / ("0" * 64)).write_bytes(b"half")
    (store.path(HELLO).parent / "notes.txt").write_bytes(b"note")
    assert [digest for digest, _ in store.digests()] == [HELLO]
