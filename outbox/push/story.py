"""The story of a push to one device, in sentences. Nothing of the device's address or of a message is in them."""

from pathlib import Path

import msgspec

from campfire.errors import CampfireError
from outbox.queries import rows_of
from outbox.wording import moment, shown, span


class PushFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A push to a device of a push service (its host). Times in milliseconds; `message_id` None for a test."""

    id: str
    position: int
    message_id: str | None
    service: str
    state: str
    next_attempt_at: int
    expires_at: int
    planned_at: int
    finished_at: int | None
    reason: str | None
    attempts: list["PushAttempt"]


class PushAttempt(msgspec.Struct, frozen=True):
    number: int
    started_at: int
    ended_at: int
    failure_class: str | None
    detail: str


def push_facts(path: Path, push_id: str) -> PushFacts:
    """Raises `DELIVERY_NOT_FOUND`, `OUTBOX_UNREADABLE`."""
    rows = rows_of(
        path,
        "SELECT id, position, message_id, service, state, next_attempt_at, expires_at, planned_at, finished_at, reason"
        " FROM push_deliveries WHERE id = ?",
        (push_id,),
    )
    if not rows:
        raise CampfireError("DELIVERY_NOT_FOUND", f"There is no push {push_id}. They are kept for 30 days.")
    attempts = rows_of(
        path,
        "SELECT number, started_at, ended_at, failure_class, detail FROM push_attempts"
        " WHERE delivery_id = ? ORDER BY number",
        (push_id,),
    )
    values = dict(zip(PushFacts.__struct_fields__, rows[0], strict=False))
    return PushFacts(**values, attempts=[PushAttempt(*row) for row in attempts])


def push_story(facts: PushFacts, now: int) -> list[str]:
    """What it tells of, each attempt, and how it ended or what it waits for."""
    of = "a test" if facts.message_id is None else f"the message {facts.message_id}"
    lines = [
        f"{facts.id} tells a device, by {facts.service}, of {of} at position {facts.position}.",
        f"It was planned {moment(facts.planned_at)}, and is worth nothing after {moment(facts.expires_at)}.",
    ]
    for made in facts.attempts:
        ended = f"failed: {made.failure_class} ({shown(made.detail)})" if made.failure_class else "succeeded"
        took = span(made.ended_at - made.started_at)
        lines.append(f"{moment(made.started_at)}: attempt {made.number} took {took} and {ended}.")
    finished = moment(facts.finished_at) if facts.finished_at is not None else "some time ago"
    match facts.state:
        case "delivered":
            lines.append(f"The push service took it {finished}.")
        case "dropped":
            lines.append(f"It was dropped {finished}: {shown((facts.reason or 'unknown').replace('_', ' '))}.")
        case "sending":
            lines.append("It is being sent now.")
        case _ if facts.next_attempt_at > now:
            lines.append(f"Its next attempt is due {moment(facts.next_attempt_at)}.")
        case _:
            lines.append("It is due, and waits for its service and its device to be free.")
    return lines
