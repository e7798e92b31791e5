"""What goes before a delivery in its endpoint's lines. Read-only."""

from pathlib import Path

from outbox.queries import rows_of

_DUE_BEFORE = """
SELECT COUNT(*) FROM deliveries WHERE endpoint_id = ? AND state = 'pending' AND (next_attempt_at, position) < (?, ?)
"""
_FIRST_IN_LINE = """
SELECT id, MIN(sequence) FROM deliveries
WHERE endpoint_id = ? AND state = 'pending' AND parked_at IS NULL AND sequence < ? AND (? OR room_id IS ?)
UNION ALL
SELECT id, MIN(sequence) FROM deliveries
WHERE endpoint_id = ? AND state = 'sending' AND sequence < ? AND (? OR room_id IS ?)
"""


def due_before(path: Path, endpoint_id: str, next_attempt_at: int, position: int) -> int:
    """How many of an endpoint's deliveries are due before the one at a position."""
    rows = rows_of(path, _DUE_BEFORE, (endpoint_id, next_attempt_at, position))
    return int(rows[0][0]) if rows else 0


def first_in_line(path: Path, endpoint_id: str, sequence: int, room_id: str | None, *, of_all: bool) -> str | None:
    """The delivery that the later ones of the room, or `of_all` of the endpoint, wait for; None if none is before."""
    line = (endpoint_id, sequence, of_all, room_id)
    found = [row for row in rows_of(path, _FIRST_IN_LINE, line * 2) if row[0] is not None]
    return min(found, key=lambda row: int(row[1]))[0] if found else None
