"""Attempts that were made, for whoever asks what happened. Read-only; times in milliseconds."""

from pathlib import Path

import msgspec

from outbox.queries import rows_of
from outbox.reading import readable

SHOWN_BYTES = 4_096
"""Of a response, to whoever manages the endpoint: no more, or a receiver could be used to read what it can reach."""


class AttemptMade(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt, in milliseconds. `tries` at the network within it; phases are None where there was none, as
    connecting is on a connection that was open. `excerpt` is the beginning of the response as text
    that may stand anywhere: JSON, too, is looked at in terminals.
    """

    number: int
    started_at: int
    ended_at: int
    failure_class: str | None
    status: int | None
    detail: str
    excerpt: str | None
    tries: int
    peer: str | None
    resolve_ms: float | None
    connect_ms: float | None
    first_byte_ms: float | None
    body_ms: float | None
    bytes_read: int | None


def attempts_of(path: Path, delivery_id: str) -> list[AttemptMade]:
    """All attempts at a delivery, in order. Raises `OUTBOX_UNREADABLE`."""
    rows = rows_of(
        path,
        "SELECT number, started_at, ended_at, failure_class, status, detail, excerpt, tries, peer, resolve_ms,"
        " connect_ms, first_byte_ms, body_ms, bytes_read FROM attempts WHERE delivery_id = ? ORDER BY number",
        (delivery_id,),
    )
    found = []
    for row in rows:
        values = dict(zip(AttemptMade.__struct_fields__, row, strict=True))
        excerpt = values["excerpt"]
        values["excerpt"] = None if excerpt is None else readable(excerpt[:SHOWN_BYTES])
        found.append(AttemptMade(**values))
    return found
