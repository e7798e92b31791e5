"""Looking into the outbox from outside, read-only: for health, for the API, for the command line."""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from campfire.errors import CampfireError
from campfire.eventlog.witness import Witness

_SILENT_MS = 60_000
"""Since the last heartbeat, which comes every few seconds, after which a worker counts as gone."""


class EndpointStatus(msgspec.Struct, frozen=True):
    """One endpoint: a webhook, or a bot, which has a name. `breaker` is closed or open; `failures` in a row."""

    id: str
    kind: str
    name: str | None
    url: str
    state: str
    pending: int
    dead: int
    breaker: str
    failures: int


class AnswersStatus(msgspec.Struct, frozen=True):
    """What bots answered: how many wait for the server, and how many could not be posted, with why of the last."""

    waiting: int = 0
    dropped: int = 0
    last_reason: str | None = None


class OutboxStatus(msgspec.Struct, frozen=True):
    """How far the outbox has come, and what waits in it."""

    position: int
    pending: int
    sending: int
    delivered: int
    dead: int
    cancelled: int
    worker_pid: int | None
    worker_alive: bool
    answers: AnswersStatus
    endpoints: list[EndpointStatus]


class DeadLetter(msgspec.Struct, frozen=True):
    """A delivery that was given up. Times in milliseconds."""

    id: str
    endpoint_id: str
    kind: str
    name: str | None
    url: str
    event_type: str
    position: int
    attempts: int
    failure_class: str
    failure: str
    died_at: int


def witness_of(path: Path) -> Witness | None:
    """What the outbox remembers of the log; None if it has not run yet. Raises `OUTBOX_UNREADABLE`, as all here."""
    rows = rows_of(path, "SELECT position, chain FROM cursor WHERE position > 0")
    return Witness(path.name, rows[0][0], rows[0][1]) if rows else None


def outbox_status(path: Path, now_ms: int) -> OutboxStatus | None:
    """The state of the outbox; None if it has not run yet."""
    cursor = rows_of(path, "SELECT position FROM cursor")
    worker = rows_of(path, "SELECT pid, alive_at FROM worker")
    if not cursor and not worker:
        return None
    counts = dict(rows_of(path, "SELECT state, COUNT(*) FROM deliveries GROUP BY state"))
    pid, alive_at = worker[0] if worker else (None, 0)
    return OutboxStatus(
        position=cursor[0][0] if cursor else 0,
        pending=counts.get("pending", 0),
        sending=counts.get("sending", 0),
        delivered=counts.get("delivered", 0),
        dead=counts.get("dead", 0),
        cancelled=counts.get("cancelled", 0),
        worker_pid=pid,
        # Both: a crashed worker's pid may be another process's by now, and an old heartbeat is no life.
        worker_alive=pid is not None and _exists(pid) and now_ms - alive_at < _SILENT_MS,
        answers=_answers(path),
        endpoints=_endpoints(path),
    )


def dead_letters(path: Path, *, endpoint_id: str | None = None, since_ms: int = 0) -> list[DeadLetter]:
    """What was given up at or after `since_ms`, oldest first."""
    rows = rows_of(
        path,
        "SELECT deliveries.id, endpoint_id, kind, name, url, event_type, position, attempts, failure_class, failure,"
        " finished_at FROM deliveries JOIN endpoints ON endpoints.id = endpoint_id"
        " WHERE deliveries.state = 'dead' AND finished_at >= ? AND (? IS NULL OR endpoint_id = ?)"
        " ORDER BY finished_at, position",
        (since_ms, endpoint_id, endpoint_id),
    )
    return [DeadLetter(*row) for row in rows]


def _endpoints(path: Path) -> list[EndpointStatus]:
    rows = rows_of(
        path,
        """
        SELECT endpoints.id, kind, name, url, endpoints.state,
            (SELECT COUNT(*) FROM deliveries WHERE endpoint_id = endpoints.id AND deliveries.state = 'pending'),
            (SELECT COUNT(*) FROM deliveries WHERE endpoint_id = endpoints.id AND deliveries.state = 'dead'),
            CASE WHEN opened_at IS NULL THEN 'closed' ELSE 'open' END, COALESCE(failures, 0)
        FROM endpoints LEFT JOIN breakers ON breakers.endpoint_id = endpoints.id
        WHERE endpoints.state <> 'deleted' ORDER BY created_position
        """,
    )
    return [EndpointStatus(*row) for row in rows]


def _answers(path: Path) -> AnswersStatus:
    rows = rows_of(
        path,
        """
        SELECT
            (SELECT COUNT(*) FROM answers WHERE state = 'waiting'),
            (SELECT COUNT(*) FROM answers WHERE state = 'dropped'),
            (SELECT reason FROM answers WHERE state = 'dropped' ORDER BY finished_at DESC LIMIT 1)
        """,
    )
    return AnswersStatus(*rows[0]) if rows else AnswersStatus()


def rows_of(path: Path, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
    """All rows of one statement; none if the worker has not made the file or the table yet."""
    if not path.exists():
        return []
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return connection.execute(statement, parameters).fetchall()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error) or "no such column" in str(error):
            return []  # the worker is just making the file, or bringing it up to date
        raise _unreadable(path, error) from error
    except sqlite3.DatabaseError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: sqlite3.DatabaseError) -> CampfireError:
    return CampfireError("OUTBOX_UNREADABLE", f"{path} cannot be read: {error}.")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
