"""One large file to the server, as it is made, and back from it in ranges, while the server's memory is watched.

Runs as a process of its own (`python -m benchmarks.load_file`): a `FileLoad` as JSON on stdin, a
`FileOutcome` as JSON on stdout. Neither side ever holds the file: it is made a piece at a time, and what
comes back is compared with the same pieces.
"""

import gc
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from typing import TypeVar

import msgspec

from benchmarks.load_http import Target
from benchmarks.process_usage import CoreMeter, resident_bytes

PIECE = 1_000_000
_RANGE_PIECES = 10
_WARM_UP_PIECES = 2
_WATCH_SECONDS = 0.02
_STAMP = 16

Done = TypeVar("Done")


class FileLoad(msgspec.Struct, frozen=True):
    """A file of `size` bytes, whole megabytes, is posted to `target.path`."""

    target: Target
    token: str
    size: int


class Passage(msgspec.Struct, frozen=True):
    """The file's way in one direction. `highest` is the most memory (bytes) that the server held meanwhile."""

    seconds: float
    highest: int
    server_cores: float


class FileOutcome(msgspec.Struct, frozen=True):
    """The server's resident memory before (after a small file) and after; no `back` if the answer named no file."""

    before: int
    there: Passage
    back: Passage | None
    after: int

    @property
    def growth(self) -> int:
        """Bytes of memory above `before` at the worst moment."""
        return max(passage.highest for passage in (self.there, self.back) if passage is not None) - self.before


class WrongAnswer(Exception):
    """The server did not take the file, or gave another one back."""


class Named(msgspec.Struct):
    """Of an upload's answer, where the file is."""

    url: str | None = None


def pieces(size: int) -> Iterator[bytes]:
    """The file: megabytes of noise, no two alike, the same every time."""
    noise = random.Random(0).randbytes(PIECE - _STAMP)
    for number in range(size // PIECE):
        yield b"%016d" % number + noise


def transfer(load: FileLoad) -> FileOutcome:
    """Send the file there and fetch it back. Raises `WrongAnswer`."""
    _upload(load, _WARM_UP_PIECES * PIECE)
    before = resident_bytes(load.target.pid)
    url, there = _watched(load.target.pid, lambda: _upload(load, load.size))
    back = None if url is None else _watched(load.target.pid, lambda: _download(load, url))[1]
    return FileOutcome(before, there, back, resident_bytes(load.target.pid))


def _upload(load: FileLoad, size: int) -> str | None:
    connection = HTTPConnection(load.target.host, load.target.port, timeout=600)
    headers = {"Authorization": f"Bearer {load.token}", "Content-Length": str(size)}
    connection.request("POST", load.target.path, body=pieces(size), headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 201:
        raise WrongAnswer(f"the upload was answered with {answer.status}: {body[:300].decode(errors='replace')}")
    return msgspec.json.decode(body, type=Named).url


def _download(load: FileLoad, url: str) -> None:
    connection = HTTPConnection(load.target.host, load.target.port, timeout=600)
    expected, step = pieces(load.size), _RANGE_PIECES * PIECE
    for start in range(0, load.size, step):
        end = min(start + step, load.size)
        headers = {"Authorization": f"Bearer {load.token}", "Range": f"bytes={start}-{end - 1}"}
        connection.request("GET", url, headers=headers)
        answer = connection.getresponse()
        if answer.status != 206:
            raise WrongAnswer(f"a range was answered with {answer.status}: {answer.read(300).decode(errors='replace')}")
        for _ in range(start, end, PIECE):
            if answer.read(PIECE) != next(expected):
                raise WrongAnswer(f"the file came back as another one, between bytes {start} and {end}")
        answer.read()
    connection.close()


def _watched(pid: int, work: Callable[[], Done]) -> tuple[Done, Passage]:
    """Do the work; look at the server's memory all the while."""
    done, highest = threading.Event(), [resident_bytes(pid)]

    def watch() -> None:
        while not done.wait(_WATCH_SECONDS):
            highest.append(resident_bytes(pid))

    watcher = threading.Thread(target=watch)
    began, meter = time.monotonic(), CoreMeter(pid)
    watcher.start()
    try:
        result = work()
    finally:
        done.set()
        watcher.join()
    return result, Passage(time.monotonic() - began, max(highest), meter.cores())


def main() -> None:
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=FileLoad)
    gc.freeze()
    try:
        outcome = transfer(load)
    except (WrongAnswer, OSError, HTTPException) as error:
        sys.exit(str(error) or type(error).__name__)
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
