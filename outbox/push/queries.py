"""Looking into pushes from outside, read-only; for health and the command line. Times in milliseconds."""

from pathlib import Path
from typing import Any

import msgspec

from outbox.queries import looking_into, rows_of


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
        return _alarms(self.refusing)


class PushAttempt(msgspec.Struct, frozen=True):
    """One request to a push service. `failure_class` None is success; `detail` is without the device's address."""

    number: int
    started_at: int
    ended_at: int
    failure_class: str | None
    status: int | None
    detail: str


class PushStory(msgspec.Struct, frozen=True):
    """All that is on record of telling one device of one thing: of a message, or, if that is None, of a test.

    `happened_at` is when the outbox learnt of it, None once that is no longer kept; `waiting_since` is earlier than
    that if it took the place of another one about the same room. `reason` says why it was dropped, see `REASONS`.
    """

    id: str
    position: int
    message_id: str | None
    subscription_id: str
    room_id: str | None
    service: str
    state: str
    reason: str | None
    happened_at: int | None
    waiting_since: int
    next_attempt_at: int
    expires_at: int
    finished_at: int | None
    attempts: list[PushAttempt]


REASONS: dict[str, str] = {
    "replaced": "something newer about the same room took its place",
    "expired": "it was no news any more",
    "gone": "the push service did not know the device any more",
    "refused": "the push service did not take the server's push key",
    "too_large": "the push service found even the smallest form too large",
    "failed": "every attempt failed",
    "rejected": "the push service could not read the request",
    "redirect": "the push service sent it elsewhere, which is not followed",
    "blocked": "the device's address is one that must not be reached",
    "unreadable": "the device's keys could not be opened with the server's key file",
    "deleted": "the message was deleted",
    "room_deleted": "the room was deleted",
    "unsubscribed": "the device had been signed out, or wanted no notifications any more",
    "inactive": "the person was deactivated",
    "not_member": "the person was not in the room any more",
    "own": "the person wrote the message",
    "muted": "the person did not want to hear of it",
    "read": "the person had read it",
    "present": "the person was looking at the room",
}
"""Why a push was dropped, as the end of a sentence."""


def push_story(path: Path, push_id: str) -> PushStory | None:
    """What became of one push (`push_<position>_<device>`); None if there is none. Raises `OUTBOX_UNREADABLE`."""
    rows = rows_of(
        path,
        "SELECT push_deliveries.id, push_deliveries.position, push_deliveries.message_id,"
        " push_deliveries.subscription_id, push_deliveries.room_id, service, push_deliveries.state,"
        " push_deliveries.reason, pushes.planned_at, push_deliveries.planned_at, next_attempt_at,"
        " push_deliveries.expires_at, push_deliveries.finished_at"
        " FROM push_deliveries LEFT JOIN pushes ON pushes.position = push_deliveries.position"
        " WHERE push_deliveries.id = ?",
        (push_id,),
    )
    if not rows:
        return None
    attempts = rows_of(
        path,
        "SELECT number, started_at, ended_at, failure_class, status, detail FROM push_attempts"
        " WHERE delivery_id = ? ORDER BY number",
        (push_id,),
    )
    return PushStory(*(*rows[0], [PushAttempt(*attempt) for attempt in attempts]))


def push_ids_of(path: Path, position: int) -> list[str]:
    """The pushes about what happened at a position of the log, one for each device. Raises `OUTBOX_UNREADABLE`."""
    # Ids begin with the position, and are in order: a range of the primary key. "`" comes after "_".
    beginning = f"push_{position}"
    rows = rows_of(
        path,
        "SELECT id FROM push_deliveries WHERE id > ? AND id < ? ORDER BY id",
        (f"{beginning}_", f"{beginning}`"),
    )
    return [push_id for (push_id,) in rows]


def push_status(path: Path) -> PushStatus:
    """The state of pushes at one moment; all zero if no worker has run yet. Raises `OUTBOX_UNREADABLE`."""
    with looking_into(path) as look:
        waiting = look.rows("SELECT COUNT(*) FROM pushes WHERE state = 'waiting'")
        counts = look.rows("SELECT state, COUNT(*) FROM push_deliveries WHERE state <> 'dropped' GROUP BY state")
        dropped = look.rows(
            "SELECT reason, COUNT(*) FROM (SELECT reason FROM push_deliveries WHERE state = 'dropped'"
            " UNION ALL SELECT reason FROM pushes WHERE state = 'dropped') GROUP BY reason ORDER BY reason",
        )
        refusing = look.rows(_REFUSING)
    of_state = dict(counts)
    return PushStatus(
        waiting=waiting[0][0] if waiting else 0,
        pending=of_state.get("pending", 0),
        sending=of_state.get("sending", 0),
        delivered=of_state.get("delivered", 0),
        dropped=dict(dropped),
        refusing=_refusing(refusing),
    )


def push_alarms(path: Path) -> list[str]:
    """The alarms of `push_status`, which alone need no look at all that was pushed. Raises `OUTBOX_UNREADABLE`."""
    return _alarms(_refusing(rows_of(path, _REFUSING)))


_REFUSING = """
SELECT push_refusals.service, COUNT(*), MAX(status), COALESCE(MAX(refusals), 0) > 0
FROM push_refusals LEFT JOIN push_services ON push_services.service = push_refusals.service
GROUP BY push_refusals.service ORDER BY push_refusals.service
"""


def _refusing(rows: list[Any]) -> list[RefusingService]:
    return [RefusingService(service, devices, status, bool(now)) for service, devices, status, now in rows]


def _alarms(refusing: list[RefusingService]) -> list[str]:
    return [
        f"{each.service} refuses the server's push key ({each.status}) for {each.devices} devices"
        for each in refusing
        if each.now
    ]
