"""What the machine allows without Campfire: SQLite, hashing and decoding by themselves.

The bare HTTP and WebSocket ceilings are `bare_server` under the same load generators; see `runs`.
"""

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from itertools import cycle
from pathlib import Path

import msgspec

from benchmarks.load_file import pieces
from benchmarks.percentiles import percentile_ms
from campfire.eventlog import schema
from campfire.eventlog.bulk_insert import bulk_insert
from campfire.eventlog.codec import EventCodec

_PAGE = 1_000
_FIELDS = bytes(58)
"""As many bytes as a row's own fields add to the chain."""


class Commits(msgspec.Struct, frozen=True):
    """Bare group commits: events a second, and milliseconds a commit."""

    per_second: float
    p50_ms: float
    p99_ms: float


def bare_commits(path: Path, batch: int, seconds: float, states: list[bytes]) -> Commits:
    """Commit `batch` rows at a time into the log's own table (WAL, synchronous=FULL) for `seconds`."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(schema.SCHEMA)
    rows = _rows(states)
    latencies: list[int] = []
    began = time.monotonic_ns()
    deadline = began + int(seconds * 1e9)
    while (at := time.monotonic_ns()) < deadline:
        connection.execute("BEGIN IMMEDIATE")
        bulk_insert(connection, schema.INSERT, [next(rows) for _ in range(batch)])
        connection.execute("COMMIT")
        latencies.append(time.monotonic_ns() - at)
    elapsed = (time.monotonic_ns() - began) / 1e9
    connection.close()
    return Commits(len(latencies) * batch / elapsed, percentile_ms(latencies, 0.5), percentile_ms(latencies, 0.99))


def bare_chain(states: list[bytes]) -> float:
    """Events a second of a SHA-256 chain over `states`, nothing read and nothing compared."""
    chain = bytes(32)
    began = time.perf_counter()
    for state in states:
        chain = sha256(chain + _FIELDS + sha256(state).digest()).digest()
    return len(states) / (time.perf_counter() - began)


def bare_read(events_path: Path) -> float:
    """Events a second of reading the whole log from SQLite and decoding it, into nothing."""
    decode = EventCodec().decode
    connection = sqlite3.connect(f"{events_path.as_uri()}?mode=ro", uri=True)
    position = count = 0
    began = time.perf_counter()
    while rows := connection.execute(
        "SELECT position, topic, state FROM events WHERE position > ? ORDER BY position LIMIT ?", (position, _PAGE)
    ).fetchall():
        for _, topic, state in rows:
            decode(topic, state)
        position = rows[-1][0]
        count += len(rows)
    elapsed = time.perf_counter() - began
    connection.close()
    return count / elapsed


def stored_states(events_path: Path, limit: int) -> list[bytes]:
    """The states of the log's last `limit` events."""
    connection = sqlite3.connect(f"{events_path.as_uri()}?mode=ro", uri=True)
    rows = connection.execute("SELECT state FROM events ORDER BY position DESC LIMIT ?", (limit,)).fetchall()
    connection.close()
    return [state for (state,) in rows]


def mean_batch(events_path: Path, last: int) -> float:
    """Events a commit among the log's last `last` ones, at most.

    Events of one commit share their time of recording; two commits within a millisecond count as one.
    """
    connection = sqlite3.connect(f"{events_path.as_uri()}?mode=ro", uri=True)
    [(events, times)] = connection.execute(
        "SELECT count(*), count(DISTINCT recorded_at)"
        " FROM (SELECT recorded_at FROM events ORDER BY position DESC LIMIT ?)",
        (last,),
    )
    connection.close()
    return float(events / times) if times else 1.0


def count_messages(events_path: Path) -> int:
    """How many posted messages the log holds."""
    connection = sqlite3.connect(f"{events_path.as_uri()}?mode=ro", uri=True)
    [(count,)] = connection.execute("SELECT count(*) FROM events WHERE topic LIKE 'message.posted:%'")
    connection.close()
    return int(count)


def bare_store(path: Path, size: int) -> float:
    """Seconds for writing the file of `load_file` to `path`, with its SHA-256 and one fsync at the end."""
    digest = sha256()
    began = time.perf_counter()
    with path.open("wb") as file:
        for piece in pieces(size):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return time.perf_counter() - began


def bare_send(path: Path, size: int) -> float:
    """Seconds for sending that file, which is made if it is missing, over a loopback connection."""
    if not path.exists():
        bare_store(path, size)
    with socket.create_server(("127.0.0.1", 0)) as server, path.open("rb") as file:
        receiving = socket.create_connection(server.getsockname())
        sending, _ = server.accept()
        sender = threading.Thread(target=sending.sendfile, args=(file,))
        buffer = memoryview(bytearray(1 << 20))
        began = time.perf_counter()
        sender.start()
        left = size
        while left:
            left -= receiving.recv_into(buffer)
        elapsed = time.perf_counter() - began
        sender.join()
        sending.close()
        receiving.close()
    return elapsed


def _rows(states: list[bytes]) -> Iterator[tuple[int, bytes, int, str, bytes, int, bytes]]:
    chain = bytes(32)
    for position, state in enumerate(cycle(states), start=1):
        yield position, os.urandom(16), 1, "message.posted:1", state, 1_700_000_000_000, chain
