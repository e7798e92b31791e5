"""Group commit: everything that waits is written in one transaction and one fsync.

Commands arrive on the event loop; one thread writes. While it writes a batch the next one gathers
by itself, so that batches grow with the load and no timer is needed. A batch goes through four
steps, in this order and never another: versions checked, appended durably, projected, published;
only then do the senders get their answer.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import backoff
import msgspec
import structlog
from eventsourcing.persistence import IntegrityError, OperationalError, StoredEvent

from campfire.domain.events import NewEvent, RecordedEvent
from campfire.errors import CampfireError
from campfire.eventlog.codec import EventCodec
from campfire.eventlog.errors import FsyncFailed, VersionConflict
from campfire.eventlog.reader import Tip
from campfire.eventlog.recorder import Rewrite, SQLiteLogRecorder

Result = TypeVar("Result")

CAPACITY = 5_000
"""Events that may wait; one more command is refused with SERVER_BUSY rather than queued for ever."""
MAX_BATCH = 500
"""Events in one transaction; larger ones would make the first of them wait for the last."""

_CHECKPOINT_EVERY = 4_000
"""Events between checkpoints of the WAL, taken when nobody waits."""
_RETRIES = 3

log = structlog.get_logger()


class CommittedBatch(msgspec.Struct, frozen=True):
    """Events that became durable together, in order, and the log's tip after them."""

    events: tuple[RecordedEvent, ...]
    tip: Tip


class _Command(NamedTuple):
    events: Sequence[NewEvent]
    rewrites: Sequence[Rewrite]
    answer: "asyncio.Future[tuple[RecordedEvent, ...]]"


class _Turn(NamedTuple):
    """Something else that must run where nothing is being appended."""

    work: Callable[[], Any]
    answer: "asyncio.Future[Any]"


Row = tuple[NewEvent, int, StoredEvent]
Outcome = tuple[RecordedEvent, ...] | BaseException


class _Prepared(NamedTuple):
    """A command that may go in: its place among the outcomes, and its events with their versions."""

    place: int
    rows: list[Row]
    rewrites: Sequence[Rewrite]


class _Transient(OperationalError):
    """The write may succeed when tried again at once."""


class _Nothing:
    """Nobody waits."""


_EMPTY = _Nothing()


class GroupCommit:
    """The one way into the log of a running server.

    `project` is called on the writer's thread with each committed batch before anyone is answered;
    `publish` after it, on the event loop. `die` is called when the disk can no longer be trusted
    and must not return control to a process that goes on serving.
    """

    def __init__(
        self,
        recorder: SQLiteLogRecorder,
        *,
        project: Callable[[CommittedBatch], None],
        publish: Callable[[CommittedBatch], None],
        die: Callable[[FsyncFailed], None],
        codec: EventCodec | None = None,
        capacity: int = CAPACITY,
        probe_seconds: float = 2.0,
    ) -> None:
        self._recorder = recorder
        self._project = project
        self._publish = publish
        self._die = die
        self._codec = codec or EventCodec()
        self._capacity = capacity
        self._probe_seconds = probe_seconds
        self._queue: queue.SimpleQueue[_Command | _Turn | None] = queue.SimpleQueue()
        self._waiting = 0
        self._closing = False
        self._since_checkpoint = 0
        self.write_error: CampfireError | None = None
        """Why the last batch could not be written; None again after the next one that was."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Events queued or being written."""
        return self._waiting

    @property
    def capacity(self) -> int:
        return self._capacity

    async def append(self, events: Sequence[NewEvent], rewrites: Sequence[Rewrite] = ()) -> tuple[RecordedEvent, ...]:
        """Append all of `events` or none; return them as recorded, once durable, projected and published.

        `rewrites` belong to a scrub among the events; see `SQLiteLogRecorder.append`.

        Raises `VersionConflict` if a version is taken, and `CampfireError`: `SERVER_BUSY` if the
        queue is full, `DISK_FULL` or `DATABASE_CONNECTION_FAILED` if nothing can be written now,
        `READ_MODEL_STALLED` if it was recorded but cannot be shown yet, `SHUTTING_DOWN`.
        """
        if self._closing:
            raise CampfireError("SHUTTING_DOWN", retry_after=5)
        if self._waiting and self._waiting + len(events) > self._capacity:
            raise CampfireError("SERVER_BUSY", retry_after=1)
        answer: asyncio.Future[tuple[RecordedEvent, ...]] = self._loop.create_future()
        self._waiting += len(events)
        self._queue.put(_Command(events, rewrites, answer))
        return await answer

    async def in_writer_turn(self, work: Callable[[], Result]) -> Result:
        """Run `work` on the writer's thread, between two batches, and return what it returns."""
        answer: asyncio.Future[Result] = self._loop.create_future()
        self._queue.put(_Turn(work, answer))
        return await answer

    async def close(self) -> None:
        """Refuse new commands, write those that wait, stop the thread."""
        if not self._closing:
            self._closing = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        item = self._next()
        while item is not None:
            if isinstance(item, _Turn):
                self._take_turn(item)
                item = self._next()
                continue
            batch, item = self._gather(item)
            self._write(batch)
            if item is _EMPTY:
                self._checkpoint_if_due()
                item = self._next()

    def _next(self) -> Any:
        """Wait for work. While the log could not be written, look now and then whether it can be again:
        a server that is out of service for it gets no command that would find out."""
        while self.write_error is not None:
            try:
                return self._queue.get(timeout=self._probe_seconds)
            except queue.Empty:
                self._probe()
        return self._queue.get()

    def _probe(self) -> None:
        try:
            self._recorder.probe()
        except OperationalError:
            return  # still not; the error that is known already says why
        self.write_error = None
        log.info("log_writable_again")

    def _gather(self, first: _Command) -> tuple[list[_Command], Any]:
        """Take what waits, up to `MAX_BATCH` events; also return the item that ended the taking."""
        batch, size = [first], len(first.events)
        while size < MAX_BATCH:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return batch, _EMPTY
            if not isinstance(item, _Command):
                return batch, item
            batch.append(item)
            size += len(item.events)
        return batch, self._queue_head()

    def _queue_head(self) -> Any:
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            return _EMPTY

    def _take_turn(self, turn: _Turn) -> None:
        try:
            result = turn.work()
        except BaseException as error:  # handed to whoever asked, on their own task
            self._loop.call_soon_threadsafe(_answer, turn.answer, error)
        else:
            self._loop.call_soon_threadsafe(_answer, turn.answer, result)

    def _write(self, batch: list[_Command]) -> None:
        committed: tuple[RecordedEvent, ...] = ()
        try:
            outcomes, committed = self._commit(batch)
            if committed:
                self._since_checkpoint += len(committed)
                outcomes = self._projected(CommittedBatch(committed, self._recorder.tip), outcomes)
        except FsyncFailed as error:
            log.critical("log_fsync_failed", error=str(error))
            self._die(error)
            outcomes = [CampfireError("DATABASE_CONNECTION_FAILED", retry_after=60)] * len(batch)
        except Exception as error:
            # A defect must not end the only writer in silence: every sender of the batch learns of it.
            log.exception("log_writer_defect")
            outcomes = [error] * len(batch)
        published = CommittedBatch(committed, self._recorder.tip) if committed else None
        self._loop.call_soon_threadsafe(self._complete, batch, outcomes, published)

    def _commit(self, batch: list[_Command]) -> tuple[list[Outcome], tuple[RecordedEvent, ...]]:
        """Append what can be appended; return each command's outcome and everything recorded."""
        outcomes: list[Outcome] = []
        prepared: list[_Prepared] = []
        latest = self._latest_versions(batch)
        for command in batch:
            rows = self._versioned(command, latest)
            if isinstance(rows, VersionConflict):
                outcomes.append(rows)
            else:
                prepared.append(_Prepared(len(outcomes), rows, command.rewrites))
                outcomes.append(())
        try:
            self._append(prepared, outcomes)
        except IntegrityError:
            # Only a stream that somebody else writes can bring us here; then each command stands for itself.
            for one in prepared:
                self._append_alone(one, outcomes)
        except OperationalError as error:
            self.write_error = _unwritable(error)
            for one in prepared:
                outcomes[one.place] = self.write_error
        return outcomes, tuple(event for outcome in outcomes if isinstance(outcome, tuple) for event in outcome)

    def _latest_versions(self, batch: list[_Command]) -> dict[str, int]:
        """Where the streams of a batch stand in the log, looked up at once."""
        streams = {UUID(new.stream_id).bytes: new.stream_id for command in batch for new in command.events}
        return {streams[raw]: version for raw, version in self._recorder.latest_versions(list(streams)).items()}

    def _versioned(self, command: _Command, latest: dict[str, int]) -> list[Row] | VersionConflict:
        """Give each event its place in its stream, or say which one is taken.

        `latest` knows where the streams of the batch stand; a conflict leaves it as it was.
        """
        rows: list[Row] = []
        mine: dict[str, int] = {}
        for new in command.events:
            stream_id = new.stream_id
            current = mine.get(stream_id)
            if current is None:
                current = latest.get(stream_id)
            if current is None:
                current = 0
            version = current + 1
            if new.version is not None and new.version != version:
                return VersionConflict(stream_id, new.version)
            mine[stream_id] = version
            rows.append((new, version, self._codec.to_stored(stream_id, version, new.event)))
        latest.update(mine)
        return rows

    def _append(self, prepared: list[_Prepared], outcomes: list[Outcome]) -> None:
        """Write all of `prepared` in one transaction and fill in their outcomes."""
        stored = [row[2] for one in prepared for row in one.rows]
        if not stored:
            return
        rewrites = [rewrite for one in prepared for rewrite in one.rewrites]
        positions, recorded_at = self._append_patiently(stored, rewrites)
        self.write_error = None
        place = iter(positions)
        for one in prepared:
            outcomes[one.place] = tuple(
                RecordedEvent(next(place), new.stream_id, version, recorded_at, new.event)
                for new, version, _ in one.rows
            )

    def _append_alone(self, one: _Prepared, outcomes: list[Outcome]) -> None:
        try:
            self._append([one], outcomes)
        except IntegrityError:
            new, version, _ = one.rows[0]
            outcomes[one.place] = VersionConflict(new.stream_id, version)

    @backoff.on_exception(backoff.expo, _Transient, max_tries=_RETRIES + 1, factor=0.02, jitter=None, logger=None)
    def _append_patiently(self, stored: list[StoredEvent], rewrites: list[Rewrite]) -> tuple[list[int], int]:
        try:
            return self._recorder.append(stored, rewrites)
        except OperationalError as error:
            if _is_transient(error):
                raise _Transient(*error.args) from error.__cause__
            raise

    def _projected(self, batch: CommittedBatch, outcomes: list[Outcome]) -> list[Outcome]:
        """Let the read models take the batch. What cannot be shown is not acknowledged, though it is recorded."""
        try:
            self._project(batch)
        except CampfireError as error:
            return [error if isinstance(outcome, tuple) and outcome else outcome for outcome in outcomes]
        return outcomes

    def _complete(self, batch: list[_Command], outcomes: list[Outcome], published: CommittedBatch | None) -> None:
        """On the loop: publish, then answer."""
        if published is not None:
            self._publish(published)
        for command, outcome in zip(batch, outcomes, strict=True):
            self._waiting -= len(command.events)
            _answer(command.answer, outcome)

    def _checkpoint_if_due(self) -> None:
        if self._since_checkpoint >= _CHECKPOINT_EVERY:
            self._since_checkpoint = 0
            self._recorder.checkpoint()


def _answer(future: "asyncio.Future[Any]", outcome: Any) -> None:
    if future.cancelled():
        return  # whoever asked has gone; what was recorded stays recorded
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _is_transient(error: OperationalError) -> bool:
    """Worth another try at once: somebody holds a lock, or the disk hiccuped. A full disk is not."""
    name = getattr(error.__cause__, "sqlite_errorname", "")
    return name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR"))


def _unwritable(error: OperationalError) -> CampfireError:
    name = getattr(error.__cause__, "sqlite_errorname", "")
    log.error("log_unwritable", error=str(error), sqlite=name)
    if name == "SQLITE_FULL":
        return CampfireError("DISK_FULL", retry_after=5)
    return CampfireError("DATABASE_CONNECTION_FAILED", retry_after=5)
