"""The bodies of deliveries, rendered from the log when they are sent: none is stored.

The same delivery has the same bytes on every attempt and after every restart, since all they are made of stands in
the log and in the endpoint's stream. Only what was deleted is not said any more: a tombstone with the same id takes
its place.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from campfire.domain.events import BotCalled, Event, MessagePosted, RecordedEvent
from campfire.domain.public_view import public_view
from campfire.eventlog.reader import LogReader
from campfire.iso_times import iso_from_ms
from outbox.bot_calls import payload_of as call_payload_of
from outbox.deliveries import Claimed
from outbox.planning import Saying, is_scrubbed

_CACHE_BYTES = 16 * 1024 * 1024
"""Of rendered events; what is not among them is read again."""

encode = msgspec.json.Encoder().encode


class _Rendered(msgspec.Struct, frozen=True):
    """An event as every endpoint is told it. `message_id` is of the message whose words these are."""

    beginning: bytes
    data: bytes
    tombstone: bytes | None
    message_id: str | None


def body_of(event: Event, sequence: int, previous_id: str | None, position: int) -> bytes:
    """The body, in the shape of Standard Webhooks 1.0, "Payload structure"; the data is the feed's.

    `sequence` (from 1) and `previous_id` (None for the first) are the delivery's place in its endpoint's stream, by
    which a receiver can prove that it missed nothing; `position` is the event's in the log.
    """
    return _assembled(_rendered(event), sequence, previous_id, position, withdrawn=False)


def tombstone_of(event: Event, sequence: int, previous_id: str | None, position: int) -> bytes:
    """The body of an event whose message was deleted: its place in the stream, and nothing of what was said."""
    return _assembled(_rendered(event), sequence, previous_id, position, withdrawn=True)


class Renderer:
    """Bodies from the log. What the planner has just taken is `keep`t, so that what is live needs no reading.

    `is_behind`: the planner has not come to the end of the log, so a message may be deleted that it knows nothing of;
    then what was kept of messages is not relied upon.
    """

    def __init__(self, reader: LogReader, cache_bytes: int = _CACHE_BYTES) -> None:
        self._reader = reader
        self._most = cache_bytes
        self._size = 0
        self._cache: OrderedDict[int, _Rendered] = OrderedDict()
        self.is_behind = True

    def keep(self, events: Iterable[RecordedEvent]) -> None:
        """Remember events that are about to be sent."""
        for recorded in events:
            self._remember(recorded.position, _rendered(recorded.event))

    def forget(self, message_ids: Iterable[str]) -> None:
        """Messages were deleted: rely on nothing that was kept of what they said."""
        gone = set(message_ids)
        if gone:
            for position in [at for at, each in self._cache.items() if each.message_id in gone]:
                self._size -= len(self._cache.pop(position).data)

    async def payload(self, claimed: Claimed) -> bytes | None:
        """The body of a delivery at this moment; None for the call of a bot by a message that is gone.

        Raises `LogDamaged` if the log does not hold what was planned from it.
        """
        if claimed.cause == "call":
            return await asyncio.to_thread(self._call, claimed)
        rendered = self._cache.get(claimed.position)
        if rendered is None or (self.is_behind and rendered.message_id is not None):
            rendered = await asyncio.to_thread(self._read, claimed.position)
            self._remember(claimed.position, rendered)
        else:
            self._cache.move_to_end(claimed.position)
        return _assembled(
            rendered, claimed.sequence, claimed.previous_id, claimed.position, withdrawn=claimed.withdrawn
        )

    def _read(self, position: int) -> _Rendered:
        recorded = self._reader.event_at(position)
        if isinstance(recorded.event, Saying):
            message_id = recorded.event.message_id
            return _rendered(recorded.event, withdrawn=bool(self._reader.deleted_messages([message_id])))
        return _rendered(recorded.event)

    def _call(self, claimed: Claimed) -> bytes | None:
        called = self._reader.event_at(claimed.position).event
        assert isinstance(called, BotCalled)
        message = self._reader.read_stream(called.message_id)[0]
        assert isinstance(message.event, MessagePosted)
        if claimed.withdrawn or message.event.scrubbed or self._reader.deleted_messages([called.message_id]):
            return None
        return call_payload_of(called, message.event, message.position)

    def _remember(self, position: int, rendered: _Rendered) -> None:
        before = self._cache.pop(position, None)
        self._size += len(rendered.data) - (len(before.data) if before else 0)
        self._cache[position] = rendered
        while self._size > self._most:
            _, oldest = self._cache.popitem(last=False)
            self._size -= len(oldest.data)


def _rendered(event: Event, *, withdrawn: bool = False) -> _Rendered:
    """`withdrawn`: the log says by now that the message is deleted."""
    beginning = b'{"type":%b,"timestamp":%b,"sequence":' % (encode(event.topic), encode(iso_from_ms(event.at)))
    if not isinstance(event, Saying):
        return _Rendered(beginning, encode(public_view(event)), None, None)
    tombstone = encode({"id": event.message_id, "room_id": event.room_id, "withdrawn": "deleted"})
    data = tombstone if withdrawn or is_scrubbed(event) else encode(public_view(event))
    return _Rendered(beginning, data, tombstone, event.message_id)


def _assembled(rendered: _Rendered, sequence: int, previous_id: str | None, position: int, *, withdrawn: bool) -> bytes:
    return b'%b%d,"previous_id":%b,"position":%d,"data":%b}' % (
        rendered.beginning,
        sequence,
        encode(previous_id),
        position,
        rendered.tombstone if withdrawn and rendered.tombstone is not None else rendered.data,
    )
