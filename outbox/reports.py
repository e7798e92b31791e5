"""What the server is to be told of endpoints, kept until it has taken it: steps of the ledger."""

import sqlite3

from campfire.domain.events.webhooks import DisabledFor
from campfire.domain.webhook_reports import ReportKind


def keep(
    connection: sqlite3.Connection,
    endpoint_id: str,
    kind: ReportKind,
    *,
    since: int,
    at: int,
    detail: str,
    reason: DisabledFor | None = None,
) -> None:
    """Keep a report of what an attempt has shown; the same step, run again, keeps it once. Times in milliseconds."""
    connection.execute(
        "INSERT OR IGNORE INTO reports (id, endpoint_id, kind, reason, since, at, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (f"{endpoint_id}/{kind}/{at}", endpoint_id, kind, reason, since, at, detail),
    )


def last_since(connection: sqlite3.Connection, endpoint_id: str, now: int) -> int:
    """Since when the outage lasted that was reported last; `now` if nothing was."""
    row = connection.execute(
        "SELECT since FROM reports WHERE endpoint_id = ? ORDER BY at DESC LIMIT 1", (endpoint_id,)
    ).fetchone()
    return now if row is None else int(row[0])


def finish(connection: sqlite3.Connection, report_id: str, *, taken: bool) -> None:
    """The server has taken the report, or never will: the endpoint is gone."""
    state = "taken" if taken else "dropped"
    connection.execute("UPDATE reports SET state = ? WHERE id = ? AND state = 'waiting'", (state, report_id))


NEXT_WAITING = (
    "SELECT id, endpoint_id, kind, reason, since, at, detail FROM reports"
    " WHERE state = 'waiting' AND (at, id) > (?, ?) ORDER BY at, id LIMIT 100"
)
"""The oldest that wait after one that was looked at."""
