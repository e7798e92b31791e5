"""Sending dead letters again, or no more, on request. Steps of the ledger."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice

from campfire.domain.events import DeliveriesDropped, DeliveryReplayRequested
from outbox import queueing, withdrawing
from outbox.letters import choice_of, chosen

_BATCH = 1_000
"""Deliveries that one statement changes."""


def replay(connection: sqlite3.Connection, event: DeliveryReplayRequested, now: int) -> set[str]:
    """Put dead letters back in line and return their endpoints; a request that was seen before does nothing.

    What an endpoint may not be told any more is cancelled instead.
    """
    if _was_seen(connection, event.replay_id):
        return set()
    found = chosen(connection, choice_of(event))
    for endpoint_id, deliveries in found.items():
        for some in _batches(deliveries):
            queueing.again(connection, endpoint_id, some, now)
        withdrawing.cancel_unwanted(connection, endpoint_id, now)
    _remember(connection, event.replay_id, event.at, found)
    return set(found)


def drop(connection: sqlite3.Connection, event: DeliveriesDropped, now: int) -> None:
    """Let dead letters go for the operator's reason; a request that was seen before does nothing."""
    if _was_seen(connection, event.drop_id):
        return
    found = chosen(connection, choice_of(event))
    for deliveries in found.values():
        for some in _batches(deliveries):
            queueing.cancel(connection, some, f"dropped: {event.reason}", now)
    _remember(connection, event.drop_id, event.at, found)


def _was_seen(connection: sqlite3.Connection, request_id: str) -> bool:
    return connection.execute("SELECT 1 FROM replays WHERE id = ?", (request_id,)).fetchone() is not None


def _remember(connection: sqlite3.Connection, request_id: str, at: int, found: dict[str, list[str]]) -> None:
    count = sum(len(deliveries) for deliveries in found.values())
    connection.execute("INSERT INTO replays (id, at, replayed) VALUES (?, ?, ?)", (request_id, at, count))


def _batches(deliveries: Sequence[str]) -> Iterator[list[str]]:
    left = iter(deliveries)
    while some := list(islice(left, _BATCH)):
        yield some
