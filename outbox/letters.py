"""Dead letters: which there are, and which of them a choice means. What is done with them is in `replays.py`."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from campfire.domain.events import DeliveriesDropped, DeliveryReplayRequested
from campfire.domain.webhook_operations import LetterChoice
from campfire.errors import CampfireError
from outbox.queries import rows_of

EVERYTHING = LetterChoice()
LISTED = 100
"""Dead letters that a list holds unless more are asked for."""


class DeadLetter(msgspec.Struct, frozen=True):
    """A delivery that was given up. Times in milliseconds; `sequence` is its place in the endpoint's stream."""

    id: str
    endpoint_id: str
    kind: str
    name: str | None
    url: str
    event_type: str
    position: int
    sequence: int
    attempts: int
    failure_class: str
    failure: str
    died_at: int


class LetterCount(msgspec.Struct, frozen=True):
    """How many of one endpoint died of one class of failure, between which moments (milliseconds)."""

    endpoint_id: str
    kind: str
    name: str | None
    url: str
    failure_class: str
    count: int
    oldest: int
    newest: int


def choice_of(event: DeliveryReplayRequested | DeliveriesDropped) -> LetterChoice:
    """What an event chooses."""
    return LetterChoice(**{name: getattr(event, name) for name in LetterChoice.__struct_fields__})


def dead_letters(path: Path, choice: LetterChoice = EVERYTHING, *, limit: int = LISTED) -> list[DeadLetter]:
    """The first `limit` of the chosen, in the order they died. Raises `OUTBOX_UNREADABLE`, as all here."""
    where, parameters = _fitting(choice)
    rows = rows_of(
        path,
        "SELECT deliveries.id, endpoint_id, kind, name, url, event_type, position, deliveries.sequence, attempts,"
        " COALESCE(failure_class, ''), COALESCE(failure, ''), finished_at"
        f" FROM deliveries JOIN endpoints ON endpoints.id = endpoint_id WHERE {where}"
        " ORDER BY finished_at, position LIMIT ?",
        (*parameters, limit),
    )
    return [DeadLetter(*row) for row in rows]


def counted(path: Path, choice: LetterChoice = EVERYTHING) -> list[LetterCount]:
    """How many are chosen, by endpoint and class, the most first."""
    where, parameters = _fitting(choice)
    rows = rows_of(
        path,
        "SELECT endpoint_id, kind, name, url, COALESCE(failure_class, ''), COUNT(*), MIN(finished_at), MAX(finished_at)"
        f" FROM deliveries JOIN endpoints ON endpoints.id = endpoint_id WHERE {where}"
        " GROUP BY endpoint_id, failure_class",
        parameters,
    )
    return sorted((LetterCount(*row) for row in rows), key=lambda each: (-each.count, each.endpoint_id))


def settled(choice: LetterChoice, counts: Sequence[LetterCount]) -> LetterChoice:
    """The choice as of now: up to the last that died. What dies later, or again, is another choice.

    So the same request made twice is the same request, and its second one does nothing.
    """
    return msgspec.structs.replace(choice, upto=max(each.newest for each in counts))


def is_known(path: Path, endpoint_id: str) -> bool:
    """Whether there is such a webhook or bot, or was."""
    return bool(rows_of(path, "SELECT 1 FROM endpoints WHERE id = ?", (endpoint_id,)))


def require_dead(path: Path, deliveries: Sequence[str]) -> None:
    """Raises `DELIVERY_NOT_FOUND` naming those that are no dead letters."""
    if not deliveries:
        return
    where, parameters = _fitting(LetterChoice(deliveries=tuple(deliveries)))
    found = {row[0] for row in rows_of(path, f"SELECT id FROM deliveries WHERE {where}", parameters)}
    missing = sorted(set(deliveries) - found)
    if missing:
        raise CampfireError("DELIVERY_NOT_FOUND", f"Not among the dead letters: {', '.join(missing)}.")


def chosen(connection: sqlite3.Connection, choice: LetterChoice) -> dict[str, list[str]]:
    """The ids of all that are chosen, by endpoint, each in the order of its stream. A step of the ledger."""
    where, parameters = _fitting(choice)
    rows = connection.execute(f"SELECT endpoint_id, sequence, id FROM deliveries WHERE {where}", parameters).fetchall()
    found: dict[str, list[str]] = {}
    for endpoint_id, _, delivery_id in sorted(rows):
        found.setdefault(endpoint_id, []).append(delivery_id)
    return found


def _fitting(choice: LetterChoice) -> tuple[str, list[Any]]:
    """Conditions on `deliveries`, and their parameters; served by one of the two indexes of what is dead, or by ids."""
    conditions: list[str] = ["deliveries.state = 'dead'", "finished_at >= ?"]
    parameters: list[Any] = [choice.since or 0]
    for condition, value in (
        ("finished_at <= ?", choice.upto),
        ("endpoint_id = ?", choice.webhook_id),
        ("failure_class = ?", choice.failure_class),
        ("deliveries.sequence >= ?", choice.first),
        ("deliveries.sequence <= ?", choice.last),
    ):
        if value is not None:
            conditions.append(condition)
            parameters.append(value)
    if choice.deliveries:
        conditions.append("deliveries.id IN (SELECT value FROM json_each(?))")
        parameters.append(msgspec.json.encode(choice.deliveries).decode())
    return " AND ".join(conditions), parameters
