"""The chain: each event's digest covers the one before it, so that no change can hide.

SQLite does not notice a flipped bit in a message or a lost tail of its WAL; this does. The digest
of position N is SHA-256 over the digest of N-1, the row's own fields, and the SHA-256 of its state.
Because only the state's digest goes in, a scrubbed message leaves the chain intact.
"""

from collections.abc import Callable
from hashlib import sha256
from struct import Struct
from typing import TYPE_CHECKING

from campfire.eventlog.errors import LogDamaged

if TYPE_CHECKING:
    from campfire.eventlog.reader import LogReader, Tip

GENESIS = bytes(32)
"""The chain before the first event."""

_pack = Struct(">QQQ").pack
_PAGE = 2_000

Progress = Callable[[int], None]
"""Called now and then with the position reached."""


def link(
    previous: bytes, position: int, stream_id: bytes, version: int, topic: str, recorded_at: int, state_digest: bytes
) -> bytes:
    """The digest of one row. `stream_id` is the UUID's 16 bytes, `recorded_at` in milliseconds."""
    return sha256(previous + _pack(position, version, recorded_at) + stream_id + state_digest + topic.encode()).digest()


def verify(reader: "LogReader", after: int = 0, upto: int | None = None, progress: Progress | None = None) -> "Tip":
    """Recompute the chain over the positions in (`after`, `upto`] and return the tip reached.

    Raises `LogDamaged` with the first position that is missing or does not match.
    """
    end = reader.tip().position if upto is None else upto
    chain = reader.chain_at(after)
    if chain is None:
        raise LogDamaged(after, "the event is missing")
    position = after
    while position < end:
        rows = reader.raw(position, _PAGE, end)
        if not rows:
            raise LogDamaged(position + 1, f"the events from here to {end} are missing")
        for row_position, stream_id, version, topic, state, recorded_at, scrubbed, stored in rows:
            position += 1
            if row_position != position:
                raise LogDamaged(position, f"the events from here to {row_position - 1} are missing")
            digest = scrubbed if scrubbed is not None else sha256(state).digest()
            chain = link(chain, position, stream_id, version, topic, recorded_at, digest)
            if chain != stored:
                raise LogDamaged(position, "the event does not match its digest: its bytes were changed")
        if progress is not None:
            progress(position)
    return reader.tip_at(position)
