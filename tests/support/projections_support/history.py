"""Histories made by hand: events with their places, and real logs of them."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from campfire.clock import ManualClock
from campfire.domain import events as happened
from campfire.domain import ids
from campfire.domain.events import Event, RecordedEvent
from campfire.eventlog.codec import EventCodec
from campfire.eventlog.group_commit import CommittedBatch
from campfire.eventlog.reader import Tip
from campfire.eventlog.recorder import SQLiteLogRecorder

EPOCH = "the first history"


class History:
    """What happened so far. Each method lets something happen and gives the id that it is about."""

    def __init__(self) -> None:
        self.events: list[RecordedEvent] = []
        self._versions: dict[str, int] = {}
        self._numbers = iter(range(1, 1 << 30))

    @property
    def position(self) -> int:
        return len(self.events)

    def record(self, stream_id: str, event: Event) -> RecordedEvent:
        version = self._versions[stream_id] = self._versions.get(stream_id, 0) + 1
        recorded = RecordedEvent(self.position + 1, stream_id, version, 1_000 * (self.position + 1), event)
        self.events.append(recorded)
        return recorded

    def new_id(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._numbers):012x}"

    def person(self, name: str) -> str:
        user_id = self.new_id()
        email = f"{name}@example.org"
        created = happened.UserCreated(at=self.now(), user_id=user_id, name=name, role="member", email=email)
        self.record(user_id, created)
        claimed = happened.EmailClaimed(at=self.now(), email=email, user_id=user_id)
        self.record(ids.email_stream(f"{email}{user_id}"), claimed)
        return user_id

    def room(self, *members: str, name: str = "Hall") -> str:
        room_id = self.new_id()
        created = happened.RoomCreated(
            at=self.now(), room_id=room_id, name=name, kind="open", created_by="somebody", members=members
        )
        self.record(room_id, created)
        return room_id

    def join(self, room_id: str, user_id: str) -> None:
        added = happened.MemberAdded(at=self.now(), room_id=room_id, user_id=user_id, by=user_id)
        self.record(ids.membership_stream(room_id, user_id), added)

    def leave(self, room_id: str, user_id: str) -> None:
        removed = happened.MemberRemoved(at=self.now(), room_id=room_id, user_id=user_id, by=user_id)
        self.record(ids.membership_stream(room_id, user_id), removed)

    def post(
        self,
        room_id: str,
        author_id: str,
        body: str,
        at: int | None = None,
        mentions: tuple[happened.Mention, ...] = (),
        reply_to: str | None = None,
        attachments: tuple[happened.Attachment, ...] = (),
    ) -> str:
        message_id = self.new_id()
        posted = happened.MessagePosted(
            at=self.now() if at is None else at,
            message_id=message_id,
            room_id=room_id,
            author_id=author_id,
            author_name="as it was",
            body=body,
            client_message_id=f"client {message_id}",
            mentions=mentions,
            reply_to=reply_to,
            thread_id=reply_to,
            attachments=attachments,
        )
        self.record(message_id, posted)
        return message_id

    def edit(self, room_id: str, message_id: str, body: str, mentions: tuple[happened.Mention, ...] = ()) -> None:
        edited = happened.MessageEdited(
            at=self.now(), message_id=message_id, room_id=room_id, by="author", body=body, mentions=mentions
        )
        self.record(message_id, edited)

    def delete(self, room_id: str, message_id: str) -> None:
        deleted = happened.MessageDeleted(at=self.now(), message_id=message_id, room_id=room_id, by="author")
        self.record(message_id, deleted)

    def read(self, room_id: str, user_id: str, position: int) -> None:
        moved = happened.ReadPositionMoved(at=self.now(), room_id=room_id, user_id=user_id, position=position)
        self.record(ids.read_position_stream(room_id, user_id), moved)

    def now(self) -> int:
        return 1_700_000_000_000 + self.position

    def since(self, position: int) -> list[RecordedEvent]:
        return self.events[position:]


def batch_of(events: Sequence[RecordedEvent]) -> CommittedBatch:
    """A batch as the log's writer would hand it over, with a chain that belongs to its last position."""
    last = events[-1].position
    return CommittedBatch(tuple(events), Tip(last, sha256(str(last).encode()).digest(), EPOCH))


def a_log_of(history: History, path: Path) -> Path:
    """A real log that holds `history`, continued if it is there. The n-th event is recorded at second n."""
    clock = ManualClock(0)
    recorder = SQLiteLogRecorder(path, clock)
    codec = EventCodec()
    for recorded in history.since(recorder.tip.position):
        clock.advance(recorded.recorded_at / 1000 - clock.now_ms() / 1000)
        recorder.append([codec.to_stored(recorded.stream_id, recorded.version, recorded.event)])
    recorder.close()
    return path
