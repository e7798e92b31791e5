"""What was sent to an endpoint, page by page. Read-only."""

from pathlib import Path

import msgspec

from outbox.queries import rows_of

STATES = ("queued", "pending", "sending", "delivered", "dead", "cancelled")


class PastDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery. Times in milliseconds; `status` is what the last attempt was answered, if it was."""

    id: str
    event_type: str
    position: int
    sequence: int
    room_id: str | None
    cause: str
    state: str
    attempts: int
    status: int | None
    planned_at: int
    next_attempt_at: int
    finished_at: int | None
    parked_at: int | None
    failure_class: str | None
    failure: str | None


def deliveries_of(
    path: Path, endpoint_id: str, *, state: str | None = None, before: int | None = None, limit: int = 50
) -> list[PastDelivery]:
    """The endpoint's deliveries with a sequence under `before`, the last first. Raises `OUTBOX_UNREADABLE`."""
    rows = rows_of(
        path,
        "SELECT id, event_type, position, sequence, room_id, cause, state, attempts,"
        " (SELECT status FROM attempts WHERE delivery_id = deliveries.id ORDER BY number DESC LIMIT 1),"
        " planned_at, next_attempt_at, finished_at, parked_at, failure_class, failure"
        " FROM deliveries WHERE endpoint_id = ? AND sequence < ? AND (? IS NULL OR state = ?)"
        " ORDER BY sequence DESC LIMIT ?",
        (endpoint_id, 1 << 62 if before is None else before, state, state, limit),
    )
    return [PastDelivery(**dict(zip(PastDelivery.__struct_fields__, row, strict=True))) for row in rows]
