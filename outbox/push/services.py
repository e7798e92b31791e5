"""Push services as they have behaved: one that fails is left alone for a while, one that refuses our key for longer."""

import sqlite3

import msgspec

from outbox.breaker import Breaker
from outbox.sender import Outcome

REFUSED_FOR_MS = 3_600_000
"""How long a device, or a whole service, is not tried again after our key was refused (401, 403)."""
REFUSALS = 5
"""Devices in a row. One device alone may have been subscribed for somebody else's key."""


class Service(msgspec.Struct, frozen=True):
    """`refusals`: devices in a row that it refused our key for; `stopped_at`: when they were too many."""

    breaker: Breaker = Breaker()
    refusals: int = 0
    stopped_at: int | None = None

    def is_stopped(self, now: int) -> bool:
        return self.stopped_at is not None and self.stopped_at <= now < self.stopped_at + REFUSED_FOR_MS

    def after(self, outcome: Outcome, now: int) -> "Service":
        """What to think of it after an attempt."""
        if outcome.failure_class is None:
            return Service()
        if outcome.status in (401, 403):
            return self._after_refusal(now)
        if outcome.failure_class in ("network", "timeout", "tls") or (outcome.status or 0) >= 500:
            return msgspec.structs.replace(self, breaker=self.breaker.after_failure(now))
        # It works, and said something about one device or one push only.
        return msgspec.structs.replace(self, breaker=Breaker())

    def _after_refusal(self, now: int) -> "Service":
        refusals = self.refusals + 1
        return Service(refusals=refusals, stopped_at=now if refusals >= REFUSALS else None)


def load(connection: sqlite3.Connection) -> dict[str, Service]:
    """By host; those that are well are left out."""
    rows = connection.execute("SELECT service, failures, opened_at, refusals, stopped_at FROM push_services")
    return {
        host: Service(Breaker(failures, opened_at), refusals, at) for host, failures, opened_at, refusals, at in rows
    }


def save(connection: sqlite3.Connection, host: str, service: Service) -> None:
    if service == Service():
        connection.execute("DELETE FROM push_services WHERE service = ?", (host,))
        return
    connection.execute(
        "INSERT OR REPLACE INTO push_services (service, failures, opened_at, refusals, stopped_at)"
        " VALUES (?, ?, ?, ?, ?)",
        (host, service.breaker.failures, service.breaker.opened_at, service.refusals, service.stopped_at),
    )
