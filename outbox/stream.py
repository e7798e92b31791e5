"""An endpoint's stream as it is pulled: the same deliveries under the same numbers, read-only."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from campfire.domain.events import Event
from campfire.domain.public_view import public_view
from campfire.errors import CampfireError
from campfire.eventlog.reader import LogReader
from campfire.iso_times import iso_from_ms
from outbox.queries import rows_of
from outbox.rendering import body_of, tombstone_of

MOST_BYTES = 1024 * 1024
"""Of bodies on one page, about; the last one may go beyond."""

MaySee = Callable[[str, str | None], bool]
"""Whether the endpoint may (still) be told of this type of event in a room, or outside of all of them (None)."""

encode = msgspec.json.Encoder().encode


class Pulled(msgspec.Struct, frozen=True):
    """One delivery: its `webhook-id`, and the body as it is signed when it is pushed."""

    id: str
    body: bytes


class Page(msgspec.Struct, frozen=True):
    """A piece of a stream. `next` is the sequence that it ends at, `sequence` the last that there is.

    Everything that the log holds up to position `planned_upto` has its place in the stream by now.
    """

    pulled: list[Pulled]
    next: int
    has_more: bool
    sequence: int
    planned_upto: int


class Place(msgspec.Struct, frozen=True):
    """How far a stream reaches; see `Page`. An endpoint's own `cursor` goes on from `leap_from` at `leap_to`."""

    sequence: int
    planned_upto: int
    cursor: int | None = None
    leap_from: int | None = None
    leap_to: int | None = None

    def is_coming_to(self, position: int) -> bool:
        """Whether the endpoint's own cursor has this position before it: what was cancelled there is put in line."""
        if self.cursor is None or position <= self.cursor:
            return False
        return self.leap_from is None or self.leap_to is None or not self.leap_from < position <= self.leap_to


class _Row(msgspec.Struct, frozen=True):
    sequence: int
    id: str
    position: int
    message_id: str | None
    room_id: str | None
    state: str


def place_of(path: Path, reader: LogReader, endpoint_id: str) -> Place:
    """How far an endpoint's stream reaches: nowhere while the worker has not run.

    Raises `OUTBOX_UNREADABLE`, also for an outbox that followed another log: its positions mean nothing in this one.
    """
    rows = rows_of(
        path,
        "SELECT endpoints.sequence, cursor.position, cursor.chain, endpoints.cursor, leap_from, leap_to"
        " FROM cursor LEFT JOIN endpoints ON endpoints.id = ?",
        (endpoint_id,),
    )
    if not rows:
        return Place(0, 0)
    sequence, position, chain, own, leap_from, leap_to = rows[0]
    if reader.chain_at(position) != chain:
        raise CampfireError("OUTBOX_UNREADABLE", f"{path} has followed another log than {reader.epoch()}.")
    return Place(sequence or 0, position if own is None else own, own, leap_from, leap_to)


def page(path: Path, reader: LogReader, endpoint_id: str, *, after: int, limit: int, may_see: MaySee) -> Page:
    """Up to `limit` deliveries of an endpoint with a sequence above `after`, fewer where they are long.

    What was deleted, cancelled or is not for the endpoint any more is a tombstone, so that no number is missing.
    Reads files: not for the event loop. Raises `OUTBOX_UNREADABLE`, and `LogDamaged` for an event that is missing.
    """
    place = place_of(path, reader, endpoint_id)  # first: whatever it promises is among the rows that are read next
    found = rows_of(
        path,
        "SELECT sequence, id, position, message_id, room_id, state FROM deliveries"
        " WHERE endpoint_id = ? AND sequence >= ? ORDER BY sequence LIMIT ?",
        (endpoint_id, after, limit + 2),  # one before the page, whose id its first delivery names, and one after
    )
    rows = [_Row(*row) for row in found]
    before = [row for row in rows if row.sequence == after]
    wanted = rows[len(before) :][:limit]
    pulled: list[Pulled] = []
    size = 0
    for each in _rendered(reader, place, [*before, *wanted], may_see, skip=len(before)):
        pulled.append(each)
        size += len(each.body)
        if size >= MOST_BYTES:
            break
    last = wanted[len(pulled) - 1].sequence if pulled else after
    return Page(
        pulled=pulled,
        next=last,
        has_more=len(rows) - len(before) > len(pulled),
        sequence=max([place.sequence, *(row.sequence for row in rows)]),
        planned_upto=place.planned_upto,
    )


def _rendered(reader: LogReader, place: Place, rows: list[_Row], may_see: MaySee, *, skip: int) -> Iterator[Pulled]:
    """Each of `rows` but the first `skip`, when it is asked for."""
    deleted = reader.deleted_messages({row.message_id for row in rows if row.message_id is not None})
    for number, row in enumerate(rows[skip:], skip):
        earlier = rows[number - 1] if number else None
        previous_id = earlier.id if earlier is not None and earlier.sequence == row.sequence - 1 else None
        event = reader.event_at(row.position).event
        if row.message_id in deleted:
            body = tombstone_of(event, row.sequence, previous_id, row.position)
        elif not may_see(event.topic, row.room_id) or (
            row.state == "cancelled" and not place.is_coming_to(row.position)
        ):
            body = _cancelled(event, row, previous_id)
        else:
            body = body_of(event, row.sequence, previous_id, row.position)
        yield Pulled(row.id, body)


def _cancelled(event: Event, row: _Row, previous_id: str | None) -> bytes:
    """The body of what is not for the endpoint any more, though it was deleted nowhere: its place, and no more."""
    thing = (public_view(event) or {}).get("id")
    return encode(
        {
            "type": event.topic,
            "timestamp": iso_from_ms(event.at),
            "sequence": row.sequence,
            "previous_id": previous_id,
            "position": row.position,
            "data": {"id": thing, "room_id": row.room_id, "withdrawn": "cancelled"},
        }
    )
