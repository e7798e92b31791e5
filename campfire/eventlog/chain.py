"""The chain: each event's digest covers the one before it, so that no change can hide.

SQLite does not notice a flipped bit in a message or a lost tail of its WAL; this does. The digest
of position N is SHA-256 over the digest of N-1, the row's own fields, and the SHA-256 of its state.
Because only the state's digest goes in, a scrubbed message leaves the chain intact.
"""

from hashlib import sha256
from struct import Struct

GENESIS = bytes(32)
"""The chain before the first event."""

_pack = Struct(">QQQ").pack


def link(
    previous: bytes, position: int, stream_id: bytes, version: int, topic: str, recorded_at: int, state_digest: bytes
) -> bytes:
    """The digest of one row. `stream_id` is the UUID's 16 bytes, `recorded_at` in milliseconds."""
    return sha256(previous + _pack(position, version, recorded_at) + stream_id + state_digest + topic.encode()).digest()
