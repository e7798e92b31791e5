"""When to try again."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import backoff

LONGEST_RETRY_AFTER = 86_400
"""Seconds; a receiver that asks for more is asked again after a day."""
_SPREAD = 0.2


def delay_after(
    failures: int, schedule: Sequence[float], *, chance: random.Random, retry_after: float | None = None
) -> float | None:
    """Seconds to wait after the `failures`-th failure (from 1); None means dead letter.

    The schedule's step, give or take a fifth so that what failed together does not come back
    together; never earlier than the receiver's Retry-After.
    """
    if failures > len(schedule):
        return None
    waits = backoff.constant(interval=list(schedule[failures - 1 :]))
    next(waits)  # the package's generators begin with an empty step
    step = float(next(waits))
    jittered = step * (1 - _SPREAD + 2 * _SPREAD * chance.random())
    return max(jittered, retry_after or 0.0)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110 section 10.2.3), in seconds or as a date; None if it is neither.

    Clamped to between now and a day from now.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), LONGEST_RETRY_AFTER))
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    except (TypeError, ValueError, OverflowError):  # the last for a year that no calendar has
        return None
    return min(max(seconds, 0.0), float(LONGEST_RETRY_AFTER))
