"""Planning, claiming and settling pushes: steps of the ledger. Times in milliseconds."""

import sqlite3
from collections.abc import Collection, Iterable

import msgspec

from campfire.push_words import DeviceToTell
from outbox.push.payload import SIZES
from outbox.push.services import REFUSED_FOR_MS
from outbox.sender import Outcome

_KEPT_MS = 30 * 86_400_000
"""How long the history of pushes is kept."""
_HELD_MS = 60_000
"""How long a push waits for what else was said in its room to be looked at, which may take its place."""


class Push(msgspec.Struct, frozen=True):
    """Something that devices may have to be told of: a message, or a test of one device.

    `service` is the host of that device's push service; None for a message, or if the device is gone.
    """

    position: int
    message_id: str | None
    subscription_id: str | None
    room_id: str | None
    expires_at: int
    service: str | None


class Claimed(msgspec.Struct, frozen=True):
    """One push to one device that is being sent, durably marked so. `is_refused`: its service did not take our key."""

    id: str
    position: int
    message_id: str | None
    subscription_id: str
    service: str
    attempts: int
    largest: int
    expires_at: int
    is_refused: int


class Load(msgspec.Struct, frozen=True):
    """What is on its way: services that take no more now, devices that do not, how many of each other service."""

    closed_services: Collection[str]
    busy_devices: Collection[str]
    in_flight: dict[str, int]
    most: int
    """Of one service at once."""


def take_back(connection: sqlite3.Connection, now: int) -> None:
    """After a crash: what was being sent is sent again if it still makes sense. And let go of what is long over."""
    connection.execute(
        "UPDATE push_deliveries SET state = 'pending', next_attempt_at = ? WHERE state = 'sending'", (now,)
    )
    before = (now - _KEPT_MS,)
    connection.execute(
        "DELETE FROM push_attempts WHERE delivery_id IN (SELECT id FROM push_deliveries WHERE finished_at < ?)", before
    )
    connection.execute("DELETE FROM push_deliveries WHERE finished_at < ?", before)
    connection.execute("DELETE FROM pushes WHERE finished_at < ?", before)


def next_pushes(connection: sqlite3.Connection, now: int, limit: int) -> list[Push]:
    """The oldest that nobody has been chosen for yet, in order; those that have run out are dropped on the way."""
    connection.execute(
        "UPDATE pushes SET state = 'dropped', reason = 'expired', finished_at = ?"
        " WHERE state = 'waiting' AND expires_at <= ?",
        (now, now),
    )
    rows = connection.execute(
        "SELECT position, message_id, subscription_id, room_id, expires_at, service"
        " FROM pushes LEFT JOIN push_devices ON push_devices.id = subscription_id"
        " WHERE state = 'waiting' ORDER BY expires_at, position LIMIT ?",
        (limit,),
    ).fetchall()
    return [Push(*row) for row in rows]


def plan(connection: sqlite3.Connection, push: Push, devices: Iterable[DeviceToTell], now: int) -> None:
    """Queue a push to each device, in place of one about the same room that has not gone out yet."""
    for device in devices:
        waiting_since = now
        if push.room_id is not None:
            replaced = connection.execute(
                "UPDATE push_deliveries SET state = 'dropped', reason = 'replaced', finished_at = ?"
                " WHERE subscription_id = ? AND room_id = ? AND state = 'pending' RETURNING planned_at",
                (now, device.id, push.room_id),
            ).fetchall()
            waiting_since = min([now, *(planned_at for (planned_at,) in replaced)])
        connection.execute(
            "INSERT OR IGNORE INTO push_deliveries (id, position, message_id, subscription_id, service, room_id,"
            " largest, next_attempt_at, expires_at, planned_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                f"push_{push.position}_{device.id}",
                push.position,
                push.message_id,
                device.id,
                device.service,
                push.room_id,
                SIZES[-1],
                now,
                push.expires_at,
                waiting_since,
            ),
        )
    connection.execute(
        "UPDATE pushes SET state = 'planned', finished_at = ? WHERE position = ? AND state = 'waiting'",
        (now, push.position),
    )


def claim(connection: sqlite3.Connection, now: int, load: Load, limit: int) -> list[Claimed]:
    """Mark what is due as being sent, one to a device at a time, oldest first; drop what has run out."""
    connection.execute(
        "UPDATE push_deliveries SET state = 'dropped', reason = 'expired', finished_at = ?"
        " WHERE state = 'pending' AND next_attempt_at <= ? AND expires_at <= ?",
        (now, now, now),
    )
    rows = connection.execute(
        "SELECT id, position, message_id, push_deliveries.subscription_id, push_deliveries.service, attempts, largest,"
        " expires_at, COALESCE(refused_at <= ? AND ? < refused_at + ?, 0)"
        " FROM push_deliveries INDEXED BY push_deliveries_due LEFT JOIN push_refusals"
        " ON push_refusals.subscription_id = push_deliveries.subscription_id"
        f" WHERE {_DUE} AND next_attempt_at <= ? ORDER BY next_attempt_at, position LIMIT ?",
        (now, now, REFUSED_FOR_MS, *_excluded(load, now), now, limit),
    ).fetchall()
    claimed: list[Claimed] = []
    devices: set[str] = set()
    in_flight = dict(load.in_flight)
    for row in rows:
        each = Claimed(*row)
        if each.subscription_id in devices or in_flight.get(each.service, 0) >= load.most:
            continue
        devices.add(each.subscription_id)
        in_flight[each.service] = in_flight.get(each.service, 0) + 1
        claimed.append(msgspec.structs.replace(each, attempts=each.attempts + 1))
    connection.executemany(
        "UPDATE push_deliveries SET state = 'sending', attempts = ? WHERE id = ?",
        [(each.attempts, each.id) for each in claimed],
    )
    return claimed


def next_due(connection: sqlite3.Connection, now: int, load: Load) -> int | None:
    """When the next push is due that may be sent with this load; None if none waits."""
    [due] = connection.execute(
        f"SELECT MIN(next_attempt_at) FROM push_deliveries WHERE {_DUE}", _excluded(load, now)
    ).fetchone()
    return None if due is None else int(due)


def give_back(connection: sqlite3.Connection, claimed: Claimed, at: int) -> None:
    """Nothing was sent: it is as if it had not been claimed."""
    connection.execute(
        "UPDATE push_deliveries SET state = 'pending', attempts = attempts - 1, next_attempt_at = ? WHERE id = ?",
        (at, claimed.id),
    )


def again(connection: sqlite3.Connection, claimed: Claimed, *, at: int, largest: int, now: int) -> None:
    """Try once more, with at most `largest` bytes; unless something newer has been planned in its place."""
    connection.execute(
        "UPDATE push_deliveries SET state = 'pending', next_attempt_at = ?, largest = ? WHERE id = ?",
        (at, largest, claimed.id),
    )
    connection.execute(
        "UPDATE push_deliveries SET state = 'dropped', reason = 'replaced', finished_at = ? WHERE id = ? AND EXISTS ("
        "  SELECT 1 FROM push_deliveries newer WHERE newer.subscription_id = push_deliveries.subscription_id"
        "  AND newer.room_id = push_deliveries.room_id AND newer.position > push_deliveries.position"
        "  AND newer.state = 'pending')",
        (now, claimed.id),
    )


def finish(connection: sqlite3.Connection, claimed: Claimed, reason: str | None, now: int) -> None:
    """Delivered, or dropped for a reason."""
    connection.execute(
        "UPDATE push_deliveries SET state = ?, reason = ?, finished_at = ? WHERE id = ?",
        ("delivered" if reason is None else "dropped", reason, now, claimed.id),
    )


def record(connection: sqlite3.Connection, claimed: Claimed, outcome: Outcome, *, began: int, now: int) -> None:
    """Write down an attempt. What the service said is not kept: nothing of a device's address may be in it."""
    connection.execute(
        "INSERT OR REPLACE INTO push_attempts"
        " (delivery_id, number, started_at, ended_at, failure_class, status, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (claimed.id, claimed.attempts, began, now, outcome.failure_class, outcome.status, said(outcome)),
    )


def refuse(connection: sqlite3.Connection, claimed: Claimed, status: int, now: int) -> None:
    """Remember that our key is not taken for this device."""
    connection.execute(
        "INSERT OR REPLACE INTO push_refusals (subscription_id, service, status, refused_at)"
        # Signed out meanwhile, it is nobody's trouble any more.
        " SELECT id, ?, ?, ? FROM push_devices WHERE id = ?",
        (claimed.service, status, now, claimed.subscription_id),
    )


def accept(connection: sqlite3.Connection, claimed: Claimed) -> None:
    """Our key is taken for this device."""
    connection.execute("DELETE FROM push_refusals WHERE subscription_id = ?", (claimed.subscription_id,))


def said(outcome: Outcome) -> str:
    """An attempt's outcome without the device's address, which errors and redirects may name."""
    if outcome.failure_class is None:
        return outcome.detail
    return f"answered {outcome.status}" if outcome.status is not None else outcome.failure_class


_DUE = """
push_deliveries.state = 'pending'
AND push_deliveries.service NOT IN (SELECT value FROM json_each(?))
AND push_deliveries.subscription_id NOT IN (SELECT value FROM json_each(?))
-- After an outage thousands of messages are asked about one by one: only the last of each room is worth a push.
AND NOT (push_deliveries.planned_at > ? AND EXISTS (
    SELECT 1 FROM pushes WHERE pushes.state = 'waiting' AND pushes.room_id = push_deliveries.room_id
))
"""


def _excluded(load: Load, now: int) -> tuple[str, str, int]:
    full = [service for service, count in load.in_flight.items() if count >= load.most]
    encode = msgspec.json.encode
    closed, busy = encode([*load.closed_services, *full]).decode(), encode(list(load.busy_devices)).decode()
    return closed, busy, now - _HELD_MS
