"""The projector keeps `campfire.db` current: the only one that writes it, on the log's writer thread.

Each batch is one transaction together with the tracking positions, so that every event counts
exactly once. A projection that an event makes fail stops there, alone, with its last good state.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

import projections
from campfire.domain.events import Event, RecordedEvent
from campfire.eventlog.errors import LogDamaged
from campfire.eventlog.group_commit import CommittedBatch
from campfire.eventlog.reader import LogReader, Tip
from campfire.eventlog.recorder import empty_wal
from projections import tracking
from projections.damage import is_damage, is_fault_of_the_file, refuse_damage
from projections.projection import Projection
from projections.tracking import Stalled, TrackingPosition

_CATCH_UP_PAGE = 5_000
_CHECKPOINT_PAGES = 8_000
"""Ids fall on pages at random: the more pages a checkpoint waits for, the fewer are copied twice."""
_CACHE_KIB = 65_536

Progress = Callable[[int, int], None]
"""Called with the position reached and the position to reach."""

log = structlog.get_logger()


class ReadModelsUnavailable(Exception):
    """`campfire.db` itself cannot be written now; nothing of the batch was taken."""


class Projector:
    """Open it, `catch_up` with the log, then `apply` each batch as it is committed."""

    def __init__(
        self, path: Path, all_projections: Sequence[Projection] = projections.ALL, *, indexed: bool = True
    ) -> None:
        self._path = path
        self._all = all_projections
        self._indexed = indexed
        self._positions: dict[str, TrackingPosition] = {}
        self._outdated: list[str] = []
        self._damaged = False
        self.stalled: dict[str, Stalled] = {}
        self._wanting: dict[type[Event], list[Projection]] = {}

    def open(self, *, durable: bool = True) -> None:
        """Open or make the file. `durable` False leaves syncing to the caller, for a file that is being built.

        Raises `sqlite3.DatabaseError` if the file is damaged, as far as can be seen without reading it all.
        """
        self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
            self._connection.execute(f"PRAGMA synchronous = {'NORMAL' if durable else 'OFF'}")
            self._connection.execute("PRAGMA secure_delete = ON").fetchall()
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}").fetchall()
            self._connection.executescript(tracking.SCHEMA)
            self._load_tracking()
            refuse_damage(self._connection, self._path, [table for each in self._current() for table in each.tables])
        except sqlite3.DatabaseError:
            self._damaged = True
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def positions(self) -> dict[str, TrackingPosition]:
        """How far each projection has come."""
        return dict(self._positions)

    def needs_rebuild(self) -> list[str]:
        """The projections whose stored version is not the code's; all of them once the file has proved damaged.

        Outdated ones are left as they are.
        """
        return [each.name for each in self._all] if self._damaged else list(self._outdated)

    def lowest_position(self) -> int:
        """How far the slowest projection has come that is neither stalled nor outdated; 0 if there is none."""
        return min((self._positions[each.name].position for each in self._running()), default=0)

    def is_behind(self, tip: Tip) -> bool:
        """Whether some running projection has not reached `tip`."""
        return any(self._positions[each.name].position < tip.position for each in self._running())

    def apply(self, batch: CommittedBatch) -> None:
        """Take in a batch that follows what was taken before. Raises `ReadModelsUnavailable`."""
        self._apply(batch.events, batch.tip)

    def catch_up(
        self,
        reader: LogReader,
        *,
        upto: int | None = None,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        """Take in what the log has beyond the tracking positions, in large batches.

        Stops early, between batches, when `should_stop` says so. Raises `ReadModelsUnavailable`,
        `LogDamaged` if an event is missing, and what `LogReader.read` raises.
        """
        end = reader.tip().position if upto is None else upto
        position = self.lowest_position()
        while position < end and self._running() and not (should_stop is not None and should_stop()):
            events = reader.read(position, _CATCH_UP_PAGE, end)
            _refuse_gap(events, position, end)
            position = events[-1].position
            self._apply(events, reader.tip_at(position))
            if progress is not None:
                progress(position, end)

    def build_indexes(self) -> None:
        """Make the indexes that queries need; a rebuild does so when all rows are there.

        Raises `ReadModelsUnavailable`.
        """
        try:
            for projection in self._all:
                self._connection.executescript(projection.indexes)
        except sqlite3.Error as error:
            raise ReadModelsUnavailable(str(error)) from error

    def empty_wal(self) -> bool:
        """As `SQLiteLogRecorder.empty_wal`, for what was deleted here."""
        return empty_wal(self._connection)

    @property
    def connection(self) -> sqlite3.Connection:
        """For reading what was projected, on the thread that projects."""
        return self._connection

    def _load_tracking(self) -> None:
        known = tracking.load(self._connection)
        for projection in self._all:
            name = projection.name
            if name not in known:
                self._create(projection)
                continue
            tracked = known[name]
            self._positions[name] = tracked.reached
            if tracked.version != projection.version:
                self._outdated.append(name)
            elif tracked.stalled is not None:
                self.stalled[name] = tracked.stalled
        self._route()

    def _create(self, projection: Projection) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for statement in _statements(projection.schema) + (_statements(projection.indexes) if self._indexed else []):
            self._connection.execute(statement)
        tracking.begin(self._connection, projection)
        self._connection.execute("COMMIT")
        self._positions[projection.name] = tracking.START

    def _current(self) -> list[Projection]:
        return [each for each in self._all if each.name not in self._outdated]

    def _running(self) -> list[Projection]:
        return [each for each in self._current() if each.name not in self.stalled]

    def _route(self) -> None:
        self._wanting = {}
        for projection in self._running():
            for event_type in projection.handlers:
                self._wanting.setdefault(event_type, []).append(projection)

    def _apply(self, events: Sequence[RecordedEvent], tip: Tip) -> None:
        if self._damaged:
            raise ReadModelsUnavailable(f"{self._path.name} is damaged and must be rebuilt")
        connection = self._connection
        stopped: list[Stalled] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for projection, wanted in self._wanted(events):
                poison = self._project(projection, wanted)
                if poison is not None:
                    stopped.append(poison)
            self._track(stopped, tip)
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if not isinstance(error, sqlite3.Error):
                raise
            self._damaged = is_damage(error)
            raise ReadModelsUnavailable(str(error)) from error
        self._remember(stopped, tip)

    def _wanted(self, events: Sequence[RecordedEvent]) -> list[tuple[Projection, list[RecordedEvent]]]:
        """Which events each projection cares about and has not seen, in the order of the projections."""
        wanted: dict[str, list[RecordedEvent]] = {}
        for recorded in events:
            for projection in self._wanting.get(type(recorded.event), ()):
                if recorded.position > self._positions[projection.name].position:
                    wanted.setdefault(projection.name, []).append(recorded)
        return [(each, wanted[each.name]) for each in self._all if each.name in wanted]

    def _project(self, projection: Projection, events: Sequence[RecordedEvent]) -> Stalled | None:
        """Let one projection take its events; if one of them is poison, all before it and none after."""
        connection = self._connection
        connection.execute("SAVEPOINT projection")
        try:
            projection.apply(connection, events)
            # The full-text index writes what it gathered at the next savepoint. Let it do so, or fail, while
            # the outer one can still take everything back: by the time a RELEASE fails it is gone.
            connection.execute("SAVEPOINT written")
            connection.execute("RELEASE projection")
        except Exception as error:
            if isinstance(error, MemoryError) or is_fault_of_the_file(error):
                raise
            connection.execute("ROLLBACK TO projection")
            connection.execute("RELEASE projection")
            if len(events) > 1:
                return self._project_one_by_one(projection, events)
            log.exception("projection_stalled", projection=projection.name, position=events[0].position)
            return Stalled(projection.name, events[0].position, f"{type(error).__name__}: {error}")
        return None

    def _project_one_by_one(self, projection: Projection, events: Sequence[RecordedEvent]) -> Stalled | None:
        for recorded in events:
            poison = self._project(projection, [recorded])
            if poison is not None:
                return poison
        return None

    def _track(self, stopped: Sequence[Stalled], tip: Tip) -> None:
        stalled_now = {each.projection for each in stopped}
        going_on = (each.name for each in self._running() if each.name not in stalled_now)
        tracking.advance(self._connection, going_on, tip)
        for poison in stopped:
            tracking.stall(self._connection, poison, self._reached_before(poison), tip.epoch)

    def _remember(self, stopped: Sequence[Stalled], tip: Tip) -> None:
        for poison in stopped:
            self._positions[poison.projection] = self._reached_before(poison)
            self.stalled[poison.projection] = poison
        reached = TrackingPosition(tip.position, tip.chain)
        for projection in self._running():
            if self._positions[projection.name].position < tip.position:
                self._positions[projection.name] = reached
        if stopped:
            self._route()

    def _reached_before(self, poison: Stalled) -> TrackingPosition:
        tracked = self._positions[poison.projection]
        return tracked if tracked.position == poison.position - 1 else TrackingPosition(poison.position - 1, None)


def _refuse_gap(events: Sequence[RecordedEvent], after: int, end: int) -> None:
    """Raises `LogDamaged` unless `events` follow position `after` one by one."""
    if not events:
        raise LogDamaged(after + 1, f"the events from here to {end} are missing")
    if events[-1].position != after + len(events):
        missing = next(place for place, each in enumerate(events, after + 1) if each.position != place)
        raise LogDamaged(missing, "the event is missing")


def _statements(script: str) -> list[str]:
    return [statement for statement in script.split(";\n") if statement.strip()]
