import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from campfire.domain.events import NewEvent, RoomArchived
from campfire.errors import CampfireError
from campfire.eventlog.errors import FsyncFailed, VersionConflict
from campfire.eventlog.group_commit import CommittedBatch, GroupCommit
from campfire.eventlog.recorder import Rewrite, SQLiteLogRecorder


class Writer:
    """A group commit whose steps can be watched and held."""

    def __init__(self, recorder: SQLiteLogRecorder, capacity: int = 5_000) -> None:
        self.recorder = recorder
        self.steps: list[tuple[str, int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.project_error: CampfireError | None = None
        self.deaths: list[FsyncFailed] = []
        self.log = GroupCommit(
            recorder, project=self._project, publish=self._publish, die=self.deaths.append, capacity=capacity
        )

    def _project(self, batch: CommittedBatch) -> None:
        self.entered.set()
        self.gate.wait()
        self.steps.append(("project", batch.tip.position))
        if self.project_error is not None:
            raise self.project_error

    def _publish(self, batch: CommittedBatch) -> None:
        self.steps.append(("publish", batch.tip.position))

    async def hold(self) -> "asyncio.Task[object]":
        """Keep the writer busy with one event until the gate opens."""
        self.gate.clear()
        self.entered.clear()
        task = asyncio.create_task(self.log.append([archived()]))
        await asyncio.to_thread(self.entered.wait)
        return task


@pytest.fixture
async def writer(recorder: SQLiteLogRecorder) -> AsyncIterator[Writer]:
    writer = Writer(recorder)
    yield writer
    writer.gate.set()
    await writer.log.close()


def archived(stream_id: str | None = None, version: int | None = 1) -> NewEvent:
    return NewEvent(stream_id or str(uuid4()), version, RoomArchived(at=1, room_id="r", by="a"))


async def test_what_waits_is_written_together(writer: Writer) -> None:
    """While one batch is being written the next gathers, and is one transaction."""
    held = await writer.hold()
    waiting = [asyncio.create_task(writer.log.append([archived()])) for _ in range(50)]
    await asyncio.sleep(0)
    writer.gate.set()
    await asyncio.gather(held, *waiting)
    assert writer.steps == [("project", 1), ("publish", 1), ("project", 51), ("publish", 51)]


async def test_positions_follow_the_order_of_the_commands(writer: Writer) -> None:
    """Whoever asked first stands first."""
    held = await writer.hold()
    waiting = [asyncio.create_task(writer.log.append([archived(), archived()])) for _ in range(5)]
    await asyncio.sleep(0)
    writer.gate.set()
    await held
    recorded = [await task for task in waiting]
    assert [event.position for events in recorded for event in events] == list(range(2, 12))


async def test_a_conflict_in_the_middle_of_a_batch_fails_that_command_alone(writer: Writer) -> None:
    """Its neighbours are recorded, and nothing of the refused command is."""
    stream = str(uuid4())
    await writer.log.append([archived(stream)])
    held = await writer.hold()
    before = asyncio.create_task(writer.log.append([archived()]))
    conflict = asyncio.create_task(writer.log.append([archived(), archived(stream)]))
    after = asyncio.create_task(writer.log.append([archived()]))
    await asyncio.sleep(0)
    writer.gate.set()
    await held
    with pytest.raises(VersionConflict):
        await conflict
    assert [(await before)[0].position, (await after)[0].position] == [3, 4]
    assert writer.recorder.tip.position == 4


async def test_two_commands_of_one_batch_cannot_take_the_same_version(writer: Writer) -> None:
    """The first of them wins, whichever batch they end up in."""
    stream = str(uuid4())
    held = await writer.hold()
    tasks = [asyncio.create_task(writer.log.append([archived(stream)])) for _ in range(3)]
    await asyncio.sleep(0)
    writer.gate.set()
    await held
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [tuple, VersionConflict, VersionConflict]


async def test_a_version_that_skips_one_is_a_conflict(writer: Writer) -> None:
    """A decision made from something other than the stream's last state does not get in."""
    with pytest.raises(VersionConflict):
        await writer.log.append([archived(version=2)])


async def test_the_last_word_takes_the_next_version(writer: Writer) -> None:
    """Events without a version line up behind what is there."""
    stream = str(uuid4())
    await writer.log.append([archived(stream)])
    recorded = await writer.log.append([archived(stream, None), archived(stream, None)])
    assert [event.version for event in recorded] == [2, 3]


async def test_a_writer_behind_our_back_costs_only_the_command_it_hits(writer: Writer, tmp_path: Path) -> None:
    """The versions are checked before the batch; if the file still refuses one, the others go in."""
    stream = str(uuid4())
    writer.recorder.latest_versions = lambda _streams: {}  # type: ignore[method-assign]
    await writer.log.append([archived(stream)])
    held = await writer.hold()
    tasks = [asyncio.create_task(writer.log.append([event])) for event in (archived(), archived(stream), archived())]
    await asyncio.sleep(0)
    writer.gate.set()
    await held
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [tuple, VersionConflict, tuple]


async def test_a_full_queue_refuses_with_a_time_to_come_back(recorder: SQLiteLogRecorder) -> None:
    """The queue is bounded: more work than it holds is answered at once rather than kept for ever."""
    writer = Writer(recorder, capacity=3)
    held = await writer.hold()
    waiting = [asyncio.create_task(writer.log.append([archived()])) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(CampfireError) as refused:
        await writer.log.append([archived()])
    assert refused.value.code == "SERVER_BUSY" and refused.value.retry_after == 1
    writer.gate.set()
    await asyncio.gather(held, *waiting)
    await writer.log.close()
    assert recorder.tip.position == 3


async def test_a_full_disk_is_an_error_with_a_code_and_heals(writer: Writer) -> None:
    """No acknowledgement, nothing kept; the next command after there is room goes through."""
    writer.recorder.limit_pages(8)
    with pytest.raises(CampfireError) as refused:
        for _ in range(100):
            await writer.log.append([archived() for _ in range(50)])
    assert refused.value.code == "DISK_FULL" and writer.log.write_error is not None
    position = writer.recorder.tip.position
    writer.recorder.limit_pages(1_000_000)
    [recorded] = await writer.log.append([archived()])
    assert recorded.position == position + 1 and writer.log.write_error is None


async def test_a_log_that_can_be_written_again_is_noticed_without_a_command(recorder: SQLiteLogRecorder) -> None:
    """Behind a proxy that sends nothing to a server that is not ready, no command would find out."""
    writer = Writer(recorder)
    await writer.log.close()
    log = GroupCommit(recorder, project=writer._project, publish=writer._publish, die=print, probe_seconds=0.01)
    recorder.limit_pages(8)
    with pytest.raises(CampfireError):
        for _ in range(100):
            await log.append([archived() for _ in range(50)])
    recorder.limit_pages(1_000_000)
    async with asyncio.timeout(30):
        while log.write_error is not None:
            await asyncio.sleep(0.01)
    await log.close()


async def test_a_failed_fsync_ends_everything(writer: Writer) -> None:
    """A disk that will not confirm is not asked again: no acknowledgement, and the process is told to die."""

    def refuse(_rows: object, _rewrites: object) -> None:
        raise FsyncFailed("disk I/O error")

    writer.recorder._commit = refuse  # type: ignore[method-assign]
    with pytest.raises(CampfireError):
        await writer.log.append([archived()])
    assert len(writer.deaths) == 1


async def test_a_passing_lock_is_waited_for(writer: Writer) -> None:
    """Somebody else's short lock on the file delays a command; it does not fail it."""
    attempts = []
    commit = writer.recorder._commit

    def busy_twice(rows: list[tuple[object, ...]], rewrites: Sequence[Rewrite]) -> None:
        attempts.append(1)
        if len(attempts) < 3:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorname = "SQLITE_BUSY"
            from eventsourcing.persistence import OperationalError

            raise OperationalError(error) from error
        commit(rows, rewrites)

    writer.recorder._commit = busy_twice  # type: ignore[method-assign]
    [recorded] = await writer.log.append([archived()])
    assert recorded.position == 1 and len(attempts) == 3


async def test_what_cannot_be_shown_is_not_acknowledged(writer: Writer) -> None:
    """It is recorded and published all the same, so that a repeat finds it."""
    writer.project_error = CampfireError("READ_MODEL_STALLED")
    with pytest.raises(CampfireError) as stalled:
        await writer.log.append([archived()])
    assert stalled.value.code == "READ_MODEL_STALLED"
    assert writer.steps == [("project", 1), ("publish", 1)]


async def test_other_work_takes_its_turn_between_batches(writer: Writer) -> None:
    """Whatever must not meet an append runs on the writer's thread, and its error comes back."""
    assert await writer.log.in_writer_turn(threading.get_ident) != threading.get_ident()

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await writer.log.in_writer_turn(fail)
    await writer.log.append([archived()])


async def test_closing_writes_what_waits_and_refuses_the_rest(writer: Writer) -> None:
    """A stop loses nothing that was taken on."""
    held = await writer.hold()
    waiting = [asyncio.create_task(writer.log.append([archived()])) for _ in range(10)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(writer.log.close())
    await asyncio.sleep(0)
    with pytest.raises(CampfireError) as refused:
        await writer.log.append([archived()])
    assert refused.value.code == "SHUTTING_DOWN"
    writer.gate.set()
    await asyncio.gather(held, *waiting, closing)
    assert writer.recorder.tip.position == 11


async def test_a_sender_that_went_away_changes_nothing(writer: Writer) -> None:
    """Its event is recorded; the others of the batch get their answers."""
    held = await writer.hold()
    gone = asyncio.create_task(writer.log.append([archived()]))
    stays = asyncio.create_task(writer.log.append([archived()]))
    await asyncio.sleep(0)
    gone.cancel()
    writer.gate.set()
    await held
    assert (await stays)[0].position == 3
