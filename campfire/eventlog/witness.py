"""Witnesses: who else remembers how far the log had come.

A lost tail is invisible from inside: SQLite opens a log without its `-wal` file and calls it whole.
But the read models, the outbox and the tip file each remember a position and its chain digest. A log
that is behind any of them, or disagrees with one, is not the log that was acknowledged.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from campfire.eventlog.errors import LogDamaged
from campfire.eventlog.reader import LogReader, Tip
from campfire.eventlog.verification import verify

TAIL = 10_000
"""Events whose chain is recomputed at each start; the rest is for `campfire-replay verify`."""

_RECORD_BYTES = 160


class Witness(msgspec.Struct, frozen=True):
    """`name` saw `position` in the log with this chain digest."""

    name: str
    position: int
    chain: bytes


class TipFile:
    """The log's own last word, beside it: one record that is overwritten after every commit.

    Not synced: after a kill it is exact, after a power cut perhaps old, and an old tip still testifies.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, tip: Tip) -> None:
        record = f"{tip.position} {tip.chain.hex()} {tip.epoch}"
        os.pwrite(self._descriptor, record.ljust(_RECORD_BYTES - 1).encode() + b"\n", 0)

    def close(self) -> None:
        os.close(self._descriptor)


def tip_file_witness(path: Path) -> Witness | None:
    """What the tip file says; None if there is none or it was torn by a power cut."""
    try:
        position, chain, _epoch = path.read_text(encoding="ascii").split()
        return Witness(path.name, int(position), bytes.fromhex(chain))
    except (FileNotFoundError, UnicodeDecodeError, ValueError):
        return None


def check(reader: LogReader, witnesses: Iterable[Witness], *, tail: int = TAIL) -> Tip:
    """Compare the log with its witnesses and recompute the chain of its last `tail` events; return its tip.

    The cost does not grow with the history. Raises `LogDamaged` naming what is missing or changed.
    """
    tip = reader.tip()
    for witness in witnesses:
        _compare(reader, tip, witness)
    return verify(reader, after=max(0, tip.position - tail), upto=tip.position)


def _compare(reader: LogReader, tip: Tip, witness: Witness) -> None:
    if witness.position > tip.position:
        missing = f"{tip.position + 1} to {witness.position}"
        raise LogDamaged(
            tip.position + 1,
            f"the log ends at {tip.position}, but {witness.name} has seen {witness.position}:"
            f" positions {missing} are missing",
        )
    if reader.chain_at(witness.position) != witness.chain:
        raise LogDamaged(
            witness.position, f"the log and {witness.name} disagree about what happened up to {witness.position}"
        )
