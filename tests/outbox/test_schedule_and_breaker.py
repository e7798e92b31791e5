import random
from datetime import UTC, datetime

import pytest

from campfire.config import STANDARD_RETRY_SCHEDULE
from outbox.breaker import Breaker
from outbox.schedule import delay_after, retry_after_seconds

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_the_standard_schedule_lasts_three_days() -> None:
    """Ten attempts over 75 h 35 min, as the example of Standard Webhooks."""
    assert len(STANDARD_RETRY_SCHEDULE) == 9
    assert sum(STANDARD_RETRY_SCHEDULE) == (75 * 60 + 35) * 60 + 5


@pytest.mark.parametrize("failures", range(1, 10))
def test_each_wait_is_the_schedules_step_give_or_take_a_fifth(failures: int) -> None:
    """So that what failed together does not come back together."""
    step = STANDARD_RETRY_SCHEDULE[failures - 1]
    waits = [delay_after(failures, STANDARD_RETRY_SCHEDULE, chance=random.Random(seed)) for seed in range(200)]
    assert all(wait is not None and 0.8 * step <= wait <= 1.2 * step for wait in waits)
    assert len(set(waits)) > 100


def test_after_the_last_step_a_delivery_is_dead() -> None:
    """The tenth failure is the last."""
    assert delay_after(10, STANDARD_RETRY_SCHEDULE, chance=random.Random(1)) is None


def test_a_receiver_that_asks_for_time_gets_it() -> None:
    """Retry-After is never undercut; the schedule may wait longer."""
    chance = random.Random(1)
    assert delay_after(1, STANDARD_RETRY_SCHEDULE, chance=chance, retry_after=120) == 120
    assert (delay_after(4, STANDARD_RETRY_SCHEDULE, chance=chance, retry_after=120) or 0) > 5000


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120),
        (" 7 ", 7),
        ("999999999999", 86_400),
        ("Mon, 23 Nov 2026 12:02:00 GMT", 120),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
        ("Wed, 01 Jan 2099 00:00:00 GMT", 86_400),
        ("-5", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: float | None) -> None:
    """Seconds or a date (RFC 9110 section 10.2.3), at most a day ahead."""
    assert retry_after_seconds(header, NOW) == seconds


def test_the_fifth_failure_in_a_row_opens_the_breaker() -> None:
    """Four do not, and a success forgets them."""
    breaker = Breaker()
    for at in range(4):
        breaker = breaker.after_failure(at)
    assert breaker.state(4, 60_000) == "closed"
    assert breaker.after_success().failures == 0
    assert breaker.after_failure(4).state(5, 60_000) == "open"


def test_an_open_breaker_lets_one_probe_through_after_its_rest() -> None:
    """Its success closes, its failure opens for another rest."""
    opened = Breaker(failures=5, opened_at=1_000)
    assert opened.state(60_999, 60_000) == "open"
    assert opened.state(61_000, 60_000) == "half-open"
    assert opened.after_success().state(61_001, 60_000) == "closed"
    assert opened.after_failure(61_000).state(120_999, 60_000) == "open"
