"""Endpoints and their deliveries in an `outbox.db` without a log or a worker: only what stands in line."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from campfire.domain.events import Event, RecordedEvent
from outbox import deliveries, endpoints, queueing
from outbox.deliveries import Claimed
from outbox.planning import Planned
from outbox.push import schema as push_schema
from outbox.schema import MIGRATIONS, SCHEMA
from outbox.sender import Outcome


class Lines:
    """`now` in milliseconds moves only when told to."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.executescript(SCHEMA + push_schema.SCHEMA + "".join(MIGRATIONS))
        self.now = 1_000_000
        self._position = 0

    def add_endpoint(self, endpoint_id: str, ordering: str = "room", **settings: object) -> None:
        values = {"id": endpoint_id, "url": "u", "events": "[]", "created_position": 0, "ordering": ordering} | settings
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self.connection.execute(f"INSERT INTO endpoints ({names}) VALUES ({marks})", tuple(values.values()))

    def plan(self, endpoint_id: str, *rooms: str | None, hops: int = 0) -> list[str]:
        """An event in each of these rooms, in this order; return the ids of the deliveries."""
        planned = []
        for room_id in rooms:
            self._position += 1
            planned.append(
                Planned(
                    id=f"msg_{self._position}",
                    endpoint_id=endpoint_id,
                    position=self._position,
                    event_type="message.posted",
                    message_id=None,
                    room_id=room_id,
                    cause="live",
                    hops=hops,
                )
            )
        queueing.insert(self.connection, planned, self.now)
        return [each.id for each in planned]

    def claim(self, endpoint_id: str) -> Claimed | None:
        return deliveries.claim(self.connection, endpoint_id, self.now)

    def end(self, claimed: Claimed, *, wait: float | None = None, ok: bool = True) -> None:
        """Write down an attempt; one that is not `ok` is tried again after `wait` seconds, None for never."""
        outcome = Outcome(None, "delivered", 200) if ok else Outcome("status", "answered 500", 500)
        deliveries.record(self.connection, claimed, outcome, began=self.now, now=self.now, wait=wait)

    def take(self, event: Event) -> None:
        """Learn what the log says of an endpoint."""
        self._position += 1
        recorded = RecordedEvent(position=self._position, stream_id="e", version=1, recorded_at=self.now, event=event)
        endpoints.take(self.connection, recorded, self.now)

    def state(self, delivery_id: str) -> str:
        [state] = self.connection.execute("SELECT state FROM deliveries WHERE id = ?", (delivery_id,)).fetchone()
        return str(state)

    def states(self, ids: Sequence[str]) -> list[str]:
        return [self.state(each) for each in ids]
