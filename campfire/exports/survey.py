"""The first look over the log: what there is now, and what is deleted and must not leave."""

from collections.abc import Callable, Iterator
from uuid import UUID

import msgspec

from campfire.domain import events as happened
from campfire.domain.applying import apply
from campfire.domain.directory import Directory
from campfire.domain.events import RecordedEvent
from campfire.eventlog.codec import EventCodec
from campfire.eventlog.errors import LogDamaged
from campfire.eventlog.reader import LogReader, RawRow, id_text

_PAGE = 2_000
_PASSED_OVER = frozenset(
    event.topic
    for event in (
        happened.MessagePosted,
        happened.MessageSaved,
        happened.MessageUnsaved,
        happened.BoostAdded,
        happened.BoostRemoved,
        happened.ThreadRead,
        happened.SearchRemembered,
        happened.SearchesForgotten,
        happened.PresenceEntered,
        happened.PresenceLeft,
        happened.ReadPositionMoved,
    )
)
"""Most of the log, of which this look learns nothing."""

Tick = Callable[[int], None]
"""Called with the position reached; may raise to stop."""


class Survey:
    """What is needed to know of a log up to a position before its events are chosen one by one.

    Streams are kept as their 16 bytes: a set of all deleted messages must fit into memory.
    """

    def __init__(self) -> None:
        self.directory = Directory()
        self.deleted: set[bytes] = set()
        self.files_of_deleted: set[bytes] = set()
        self.last_edits: dict[bytes, int] = {}
        self.begun: dict[str, int] = {}
        """Of each room, the position where its present life began: a direct room may come back."""
        self.founders: dict[str, frozenset[str]] = {}
        self._attached: dict[bytes, list[bytes]] = {}

    def must_go(self, stream_id: bytes) -> bool:
        """Whether this is the stream of a deleted message or of a file in one."""
        return stream_id in self.deleted or stream_id in self.files_of_deleted

    def take(self, recorded: RecordedEvent) -> None:
        event = recorded.event
        if isinstance(event, happened.MessageEdited):
            self.last_edits[UUID(event.message_id).bytes] = recorded.position
        elif isinstance(event, happened.MessageDeleted):
            self.deleted.add(UUID(event.message_id).bytes)
            self.files_of_deleted.update(self._attached.pop(UUID(event.message_id).bytes, ()))
        elif isinstance(event, happened.UploadAttached):
            self._attached.setdefault(UUID(event.message_id).bytes, []).append(UUID(event.attachment_id).bytes)
        elif isinstance(event, happened.RoomCreated):
            self.begun[event.room_id] = recorded.position
            self.founders[event.room_id] = frozenset(event.members)
        apply(self.directory, recorded)


def survey(reader: LogReader, upto: int, tick: Tick) -> Survey:
    """Look over the positions up to `upto`. Raises `LogDamaged`, `UnknownTopic`."""
    found, codec = Survey(), EventCodec()
    for row in rows(reader, upto, tick):
        position, stream_id, version, topic, state, recorded_at, _, _ = row
        if topic.rpartition(":")[0] not in _PASSED_OVER:
            found.take(RecordedEvent(position, id_text(stream_id), version, recorded_at, codec.decode(topic, state)))
    return found


def rows(reader: LogReader, upto: int, tick: Tick) -> Iterator[RawRow]:
    """The log's rows from the first to `upto`. Raises `LogDamaged` at one that is missing or cannot be read."""
    position = 0
    while position < upto:
        page = reader.raw(position, _PAGE, upto)
        if not page or page[-1][0] != position + len(page):
            raise LogDamaged(position + 1, "an event from here on is missing")
        try:
            yield from page
        except msgspec.DecodeError as error:
            raise LogDamaged(position + 1, f"an event from here on cannot be read: {error}") from error
        position = page[-1][0]
        tick(position)
