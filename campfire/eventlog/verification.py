"""Proving a log by its chain, whole or from any position on."""

from collections.abc import Callable, Iterator
from hashlib import sha256

from campfire.domain.events import MessageScrubbed
from campfire.eventlog.chain import link
from campfire.eventlog.codec import EventCodec
from campfire.eventlog.errors import LogDamaged
from campfire.eventlog.reader import LogReader, RawRow, Tip

_PAGE = 2_000
_SCRUB_TOPIC = MessageScrubbed.topic

Progress = Callable[[int], None]
"""Called now and then with the position reached."""


def verify(reader: LogReader, after: int = 0, upto: int | None = None, progress: Progress | None = None) -> Tip:
    """Recompute the chain over the positions in (`after`, `upto`] and return the tip reached.

    A scrubbed event must be the tombstone that a later event has put on record, and what is on record as
    scrubbed must be. Raises `LogDamaged` with the first position that is missing or does not match.
    """
    end = reader.tip().position if upto is None else upto
    scrubs = _Scrubs(after)
    chain = reader.chain_at(after)
    if chain is None:
        raise LogDamaged(after, "the event is missing")
    for rows in _pages(reader, after, end):
        for position, stream_id, version, topic, state, recorded_at, scrubbed, stored in rows:
            digest = sha256(state).digest()
            if scrubbed is not None:
                scrubs.found(position, digest)
                digest = scrubbed
            chain = link(chain, position, stream_id, version, topic, recorded_at, digest)
            if chain != stored:
                raise LogDamaged(position, "the event does not match its digest: its bytes were changed")
            if topic.startswith(_SCRUB_TOPIC):
                scrubs.recorded(position, topic, state)
        if progress is not None:
            progress(rows[-1][0])
    if upto is None:
        scrubs.require_all_recorded()
    return reader.tip_at(max(after, end))


def _pages(reader: LogReader, after: int, end: int) -> Iterator[list[RawRow]]:
    """The rows of (`after`, `end`] in order. Raises `LogDamaged` at the first that is missing."""
    position = after
    while position < end:
        rows = reader.raw(position, _PAGE, end)
        if not rows:
            raise LogDamaged(position + 1, f"the events from here to {end} are missing")
        for row in rows:
            position += 1
            if row[0] != position:
                raise LogDamaged(position, f"the events from here to {row[0] - 1} are missing")
        yield rows


class _Scrubs:
    """The scrubbed events met so far that no event has accounted for yet."""

    def __init__(self, after: int) -> None:
        self._after = after
        self._codec = EventCodec()
        self._unaccounted: dict[int, bytes] = {}

    def found(self, position: int, tombstone_digest: bytes) -> None:
        self._unaccounted[position] = tombstone_digest

    def recorded(self, position: int, topic: str, state: bytes) -> None:
        """Settle what a scrub has put on record. Raises `LogDamaged`."""
        event = self._codec.decode(topic, state)
        assert isinstance(event, MessageScrubbed)
        for tombstone in event.tombstones:
            if tombstone.position <= self._after:
                continue  # outside of what is being looked at
            found = self._unaccounted.pop(tombstone.position, None)
            if found is None:
                raise LogDamaged(tombstone.position, f"its text was scrubbed at {position}, and is back")
            if found.hex() != tombstone.digest:
                raise LogDamaged(tombstone.position, "the tombstone does not match its digest: its bytes were changed")

    def require_all_recorded(self) -> None:
        """Raises `LogDamaged` for an event that was rewritten and nobody said so."""
        for position in self._unaccounted:
            raise LogDamaged(position, "the event was rewritten, and no scrub is on record for it")
