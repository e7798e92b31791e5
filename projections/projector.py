"""The projector keeps `campfire.db` current: the only one that writes it, on the log's writer thread.

Each batch is one transaction together with the tracking positions, so that every event counts
exactly once. A projection that an event makes fail stops there, alone, with its last good state.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import structlog

import projections
from campfire.domain.events import Event, RecordedEvent
from campfire.eventlog.chain import GENESIS
from campfire.eventlog.group_commit import CommittedBatch
from campfire.eventlog.reader import LogReader, Tip
from projections.projection import Projection

_TRACKING = """
CREATE TABLE IF NOT EXISTS tracking (
    projection    TEXT    PRIMARY KEY,
    version       INTEGER NOT NULL,
    position      INTEGER NOT NULL,
    chain         BLOB    NOT NULL,
    epoch         TEXT    NOT NULL,
    stalled_at    INTEGER,          -- the position of an event that it could not take
    stalled_error TEXT
) STRICT, WITHOUT ROWID;
"""
_CATCH_UP_PAGE = 5_000

Progress = Callable[[int, int], None]
"""Called with the position reached and the position to reach."""

log = structlog.get_logger()


class ReadModelsUnavailable(Exception):
    """`campfire.db` itself cannot be written now; nothing of the batch was taken."""


class TrackingPosition(msgspec.Struct, frozen=True):
    """How far a projection has come, and the log's chain there."""

    position: int
    chain: bytes


class Stalled(msgspec.Struct, frozen=True):
    """A projection that stopped before `position` because of `error`."""

    projection: str
    position: int
    error: str


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
        self.stalled: dict[str, Stalled] = {}
        self._wanting: dict[type[Event], list[Projection]] = {}

    def open(self, *, durable: bool = True) -> None:
        """Open or make the file. `durable` False leaves syncing to the caller, for a file that is being built.

        Raises `sqlite3.DatabaseError` if the file is damaged.
        """
        self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
            self._connection.execute(f"PRAGMA synchronous = {'NORMAL' if durable else 'OFF'}")
            self._connection.execute("PRAGMA cache_size = -65536")
            self._connection.execute("PRAGMA wal_autocheckpoint = 4000").fetchall()
            self._connection.executescript(_TRACKING)
            self._load_tracking()
        except sqlite3.DatabaseError:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def positions(self) -> dict[str, TrackingPosition]:
        """How far each projection has come."""
        return dict(self._positions)

    def needs_rebuild(self) -> list[str]:
        """The projections whose stored version is not the code's; they are left as they are."""
        return list(self._outdated)

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
        and what `LogReader.read` raises.
        """
        end = reader.tip().position if upto is None else upto
        position = self.lowest_position()
        while position < end and self._running() and not (should_stop is not None and should_stop()):
            events = reader.read(position, _CATCH_UP_PAGE, end)
            position = events[-1].position
            self._apply(events, reader.tip_at(position))
            if progress is not None:
                progress(position, end)

    def build_indexes(self) -> None:
        """Make the indexes that queries need; a rebuild does so when all rows are there."""
        for projection in self._all:
            self._connection.executescript(projection.indexes)

    @property
    def connection(self) -> sqlite3.Connection:
        """For reading what was projected, on the thread that projects."""
        return self._connection

    def _load_tracking(self) -> None:
        rows = self._connection.execute(
            "SELECT projection, version, position, chain, stalled_at, stalled_error FROM tracking"
        ).fetchall()
        known = {row[0]: row[1:] for row in rows}
        for projection in self._all:
            name = projection.name
            if name not in known:
                self._create(projection)
                continue
            version, position, chain, stalled_at, stalled_error = known[name]
            self._positions[name] = TrackingPosition(position, chain)
            if version != projection.version:
                self._outdated.append(name)
            elif stalled_at is not None:
                self.stalled[name] = Stalled(name, stalled_at, stalled_error)
        self._route()

    def _create(self, projection: Projection) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for statement in _statements(projection.schema) + (_statements(projection.indexes) if self._indexed else []):
            self._connection.execute(statement)
        self._connection.execute(
            "INSERT INTO tracking (projection, version, position, chain, epoch) VALUES (?, ?, 0, ?, '')",
            (projection.name, projection.version, GENESIS),
        )
        self._connection.execute("COMMIT")
        self._positions[projection.name] = TrackingPosition(0, GENESIS)

    def _running(self) -> list[Projection]:
        return [each for each in self._all if each.name not in self.stalled and each.name not in self._outdated]

    def _route(self) -> None:
        self._wanting = {}
        for projection in self._running():
            for event_type in projection.handlers:
                self._wanting.setdefault(event_type, []).append(projection)

    def _apply(self, events: Sequence[RecordedEvent], tip: Tip) -> None:
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
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
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
        except sqlite3.OperationalError:
            raise  # the file, not the event
        except Exception as error:
            connection.execute("ROLLBACK TO projection")
            if len(events) > 1:
                connection.execute("RELEASE projection")
                return self._project_one_by_one(projection, events)
            connection.execute("RELEASE projection")
            log.exception("projection_stalled", projection=projection.name, position=events[0].position)
            return Stalled(projection.name, events[0].position, f"{type(error).__name__}: {error}")
        connection.execute("RELEASE projection")
        return None

    def _project_one_by_one(self, projection: Projection, events: Sequence[RecordedEvent]) -> Stalled | None:
        for recorded in events:
            poison = self._project(projection, [recorded])
            if poison is not None:
                return poison
        return None

    def _track(self, stopped: Sequence[Stalled], tip: Tip) -> None:
        stalled_now = {each.projection for each in stopped}
        self._connection.executemany(
            "UPDATE tracking SET position = ?, chain = ?, epoch = ? WHERE projection = ? AND position < ?",
            [
                (tip.position, tip.chain, tip.epoch, each.name, tip.position)
                for each in self._running()
                if each.name not in stalled_now
            ],
        )
        self._connection.executemany(
            "UPDATE tracking SET stalled_at = ?, stalled_error = ? WHERE projection = ?",
            [(each.position, each.error, each.projection) for each in stopped],
        )

    def _remember(self, stopped: Sequence[Stalled], tip: Tip) -> None:
        reached = TrackingPosition(tip.position, tip.chain)
        for poison in stopped:
            self.stalled[poison.projection] = poison
        for projection in self._running():
            if self._positions[projection.name].position < tip.position:
                self._positions[projection.name] = reached
        if stopped:
            self._route()


def _statements(script: str) -> list[str]:
    return [statement for statement in script.split(";\n") if statement.strip()]
