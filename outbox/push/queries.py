"""Looking into pushes from outside, read-only; for health and the command line."""

from pathlib import Path

import msgspec

from outbox.queries import rows_of


class RefusingService(msgspec.Struct, frozen=True):
    """A push service that does not take our key for so many devices. `now`: for the last one that it was asked for."""

    service: str
    devices: int
    status: int
    now: bool


class PushStatus(msgspec.Struct, frozen=True):
    """What waits, what was delivered, and what was dropped, by reason, within the last 30 days."""

    waiting: int
    pending: int
    sending: int
    delivered: int
    dropped: dict[str, int]
    refusing: list[RefusingService]

    @property
    def alarms(self) -> list[str]:
        """Sentences about what somebody has to look at."""
        return [
            f"{each.service} refuses the server's push key ({each.status}) for {each.devices} devices"
            for each in self.refusing
            if each.now
        ]


def push_status(path: Path) -> PushStatus:
    """The state of pushes; all zero if no worker has run yet. Raises `OUTBOX_UNREADABLE`."""
    counts = dict(rows_of(path, "SELECT state, COUNT(*) FROM push_deliveries WHERE state <> 'dropped' GROUP BY state"))
    dropped = rows_of(
        path,
        "SELECT reason, COUNT(*) FROM (SELECT reason FROM push_deliveries WHERE state = 'dropped'"
        " UNION ALL SELECT reason FROM pushes WHERE state = 'dropped') GROUP BY reason ORDER BY reason",
    )
    waiting = rows_of(path, "SELECT COUNT(*) FROM pushes WHERE state = 'waiting'")
    refusing = rows_of(
        path,
        "SELECT push_refusals.service, COUNT(*), MAX(status), COALESCE(MAX(refusals), 0) > 0"
        " FROM push_refusals LEFT JOIN push_services ON push_services.service = push_refusals.service"
        " GROUP BY push_refusals.service ORDER BY push_refusals.service",
    )
    return PushStatus(
        waiting=waiting[0][0] if waiting else 0,
        pending=counts.get("pending", 0),
        sending=counts.get("sending", 0),
        delivered=counts.get("delivered", 0),
        dropped=dict(dropped),
        refusing=[RefusingService(service, devices, status, bool(now)) for service, devices, status, now in refusing],
    )
