"""Proving a log by its chain, whole or from any position on."""

from collections.abc import Callable
from hashlib import sha256

from campfire.eventlog.chain import link
from campfire.eventlog.errors import LogDamaged
from campfire.eventlog.reader import LogReader, Tip

_PAGE = 2_000

Progress = Callable[[int], None]
"""Called now and then with the position reached."""


def verify(reader: LogReader, after: int = 0, upto: int | None = None, progress: Progress | None = None) -> Tip:
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
