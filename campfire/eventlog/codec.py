"""Between events and the bytes that the log stores: versioned topics, msgspec JSON, upcasting.

A stored topic is the event's name and schema number, `message.posted:1`. When a schema changes,
its number rises and `UPCASTERS` learns how to turn the old fields into the new ones, so that
nothing but this module ever sees an old event.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from eventsourcing.persistence import Notification, StoredEvent

from campfire.domain.events import ALL_EVENTS, Event
from campfire.eventlog.errors import UnknownTopic

Fields = dict[str, Any]
Upcaster = Callable[[Fields], Fields]
AnyStored = TypeVar("AnyStored", StoredEvent, Notification)

UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}
"""From (topic, old schema) to a function giving the fields of the next schema."""


class EventCodec:
    """Encode events for the log and decode what it holds, whatever version wrote it."""

    def __init__(
        self, events: tuple[type[Event], ...] = ALL_EVENTS, upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS
    ) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._types = {event.topic: event for event in events}
        self._topics = {event: f"{event.topic}:{event.schema}" for event in events}
        self._decoders = {f"{event.topic}:{event.schema}": msgspec.json.Decoder(event).decode for event in events}
        self._upcasters = upcasters

    def topic_of(self, event: Event) -> str:
        """The topic under which `event` is stored."""
        return self._topics[type(event)]

    def encode(self, event: Event) -> bytes:
        """The state of `event` as stored (JSON, UTF-8)."""
        return self._encode(event)

    def to_stored(self, stream_id: str, version: int, event: Event) -> StoredEvent:
        """The library's form of an event, for any of its recorders."""
        return StoredEvent(UUID(stream_id), version, self._topics[type(event)], self._encode(event))

    def decode(self, topic: str, state: bytes) -> Event:
        """Read a stored event. Raises `UnknownTopic`, or `msgspec.DecodeError` for state that is not one."""
        decoder = self._decoders.get(topic)
        if decoder is not None:
            return decoder(state)
        return self._upcast(topic, state)

    def _upcast(self, topic: str, state: bytes) -> Event:
        name, _, number = topic.rpartition(":")
        event_type = self._types.get(name)
        if event_type is None or not number.isdigit() or int(number) >= event_type.schema:
            raise UnknownTopic(topic)
        fields: Fields = msgspec.json.decode(state)
        for schema in range(int(number), event_type.schema):
            fields = self._upcasters[name, schema](fields)
        return msgspec.convert(fields, event_type)
