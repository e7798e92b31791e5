"""Changing the secret of a webhook: how long those before it go on signing."""

from collections.abc import Sequence

from campfire.domain.errors import refused
from campfire.domain.events import WebhookSecretRotated
from campfire.domain.states import WebhookState
from campfire.iso_times import iso_from_ms

MOST_VALID = 10
"""Secrets of one endpoint that sign at once; each makes the header longer and a forgery no harder."""
LONGEST_GRACE_MS = 30 * 86_400_000
DEFAULT_GRACE_MS = 86_400_000


def still_valid(untils: Sequence[int], event: WebhookSecretRotated) -> tuple[int, ...]:
    """Until when each secret before the new one signs, oldest first; those that have ended are forgotten."""
    return tuple(until for until in (*untils, event.previous_valid_until) if until > event.at)


def require_room_for_another(webhook: WebhookState, grace_ms: int, at: int) -> None:
    """Raises `ValidationFailed` for a grace that is too long, or if too many secrets would be valid at once."""
    if not 0 <= grace_ms <= LONGEST_GRACE_MS:
        raise refused("grace_seconds", f"must be 0 to {LONGEST_GRACE_MS // 1000} (30 days)")
    running = [until for until in webhook.previous_valid_until if until > at]
    if grace_ms and len(running) + 2 > MOST_VALID:
        raise refused(
            "grace_seconds",
            f"must be 0 for now: {MOST_VALID} secrets are valid at once at most, and this webhook has them until"
            f" {iso_from_ms(min(running))}",
        )
