"""The story of a push to one device, in sentences. Nothing of the device's address or of a message is in them."""

from outbox.push.queries import REASONS, PushAttempt, PushStory
from outbox.wording import moment, shown, span


def sentences(found: PushStory, now: int) -> list[str]:
    """What it tells of, each attempt, and how it ended or what it waits for."""
    planned = moment(found.waiting_since if found.happened_at is None else found.happened_at)
    of = "a test" if found.message_id is None else f"the message {found.message_id}"
    return [
        f"{found.id} tells a device, by {found.service}, of {of} at position {found.position}.",
        f"It was planned {planned}, and is worth nothing after {moment(found.expires_at)}.",
        *(_attempt(made) for made in found.attempts),
        _now(found, now),
    ]


def _attempt(made: PushAttempt) -> str:
    answered = f" ({shown(made.detail)})" if made.detail != made.failure_class else ""
    ended = f"failed: {made.failure_class}{answered}" if made.failure_class else "succeeded"
    return f"{moment(made.started_at)}: attempt {made.number} took {span(made.ended_at - made.started_at)} and {ended}."


def _now(found: PushStory, now: int) -> str:
    finished = moment(found.finished_at) if found.finished_at is not None else "some time ago"
    match found.state:
        case "delivered":
            return f"The push service took it {finished}."
        case "dropped":
            reason = found.reason or "unknown"
            return f"It was dropped {finished}: {shown(REASONS.get(reason, reason))}."
        case "sending":
            return "It is being sent now."
        case _ if found.next_attempt_at > now:
            return f"Its next attempt is due {moment(found.next_attempt_at)}."
    return "It is due, and waits for its service and its device to be free."
