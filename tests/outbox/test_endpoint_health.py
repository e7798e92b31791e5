"""When an endpoint is told of as failing, when it is given up, and when it counts as well again."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from campfire.clock import ManualClock
from campfire.config import Settings
from outbox import backlog, health
from outbox.health import Verdict
from outbox.schema import MIGRATIONS, SCHEMA
from outbox.sender import Outcome

DELIVERED = Outcome(None, "delivered", 200)
FAILED = Outcome("status", "answered 500", 500)
GONE = Outcome("status", "answered 410", 410)

NOTHING = Verdict()
TOLD = Verdict(reported=True)
GIVEN_UP = Verdict(disabled=True, reported=True)


class Endpoint:
    """One endpoint in a real `outbox.db`, and a clock of its own."""

    def __init__(self, path: Path, kind: str = "webhook", **settings: Any) -> None:
        self.clock = ManualClock()
        self.began = self.clock.now_ms()
        self._settings = Settings(**settings)
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA synchronous = OFF")  # nothing here is about crashes
        self.connection.executescript(SCHEMA + "".join(MIGRATIONS))
        self.connection.execute(
            "INSERT INTO endpoints (id, kind, url, events, created_position)"
            " VALUES ('e', ?, 'https://hooks.example.com/in', '[]', 1)",
            (kind,),
        )

    def note(self, outcome: Outcome) -> Verdict:
        remember = backlog.note_success if outcome.failure_class is None else backlog.note_failure
        remember(self.connection, "e", self.clock.now_ms())  # as recording the attempt does, just before
        return health.note(self.connection, "e", outcome, self.clock.now_ms(), self._settings)

    def after(self, outcome: Outcome, *, hours: float) -> Verdict:
        self.clock.advance(hours * 3600)
        return self.note(outcome)

    def fail_for(self, hours: int, *, every: int = 1) -> list[Verdict]:
        """Fail now and every so many hours; return what is more than nothing."""
        verdicts = [self.note(FAILED), *(self.after(FAILED, hours=every) for _ in range(hours // every))]
        return [verdict for verdict in verdicts if verdict != NOTHING]

    def reports(self) -> list[tuple[str, str | None, float, str]]:
        """Kind, reason, hours since the beginning and detail of each, in order."""
        rows = self.connection.execute("SELECT kind, reason, since, detail FROM reports ORDER BY at, id")
        return [(kind, reason, (since - self.began) / 3_600_000, detail) for kind, reason, since, detail in rows]

    def state(self) -> str:
        [(state,)] = self.connection.execute("SELECT state FROM endpoints")
        return str(state)

    def resume(self) -> None:
        self.connection.execute("UPDATE endpoints SET state = 'active'")


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    endpoint = Endpoint(tmp_path / "outbox.db")
    yield endpoint
    endpoint.connection.close()


def test_twelve_hours_of_failing_are_told_once(endpoint: Endpoint) -> None:
    """With since when, and with the last answer."""
    assert endpoint.fail_for(11) == []
    assert endpoint.after(FAILED, hours=1) == TOLD
    assert endpoint.fail_for(24) == []
    assert endpoint.reports() == [("failing", None, 0, "answered 500")]


def test_a_success_in_between_begins_anew(endpoint: Endpoint) -> None:
    """Failing means nothing but failures."""
    endpoint.fail_for(11)
    endpoint.note(DELIVERED)
    assert endpoint.fail_for(11) == []
    assert endpoint.reports() == []


def test_the_end_of_an_outage_that_was_told_is_told_once(endpoint: Endpoint) -> None:
    """With since when it had lasted; of a short one nobody hears."""
    endpoint.fail_for(13)
    assert endpoint.after(DELIVERED, hours=1) == TOLD
    assert endpoint.after(DELIVERED, hours=1) == NOTHING
    assert [report[:3] for report in endpoint.reports()] == [("failing", None, 0), ("recovered", None, 0)]
    endpoint.after(FAILED, hours=1)
    assert endpoint.after(DELIVERED, hours=1) == NOTHING


def test_the_next_outage_is_told_again(endpoint: Endpoint) -> None:
    """Once an outage, not once for ever."""
    endpoint.fail_for(13)
    endpoint.note(DELIVERED)
    endpoint.clock.advance(3600)
    assert endpoint.fail_for(13) == [TOLD]


def test_five_days_of_nothing_but_failures_disable(endpoint: Endpoint) -> None:
    """Not an hour earlier; what was said last is in the report."""
    assert endpoint.fail_for(119) == [TOLD]
    assert endpoint.state() == "active"
    assert endpoint.after(FAILED, hours=1) == GIVEN_UP
    assert endpoint.state() == "disabled"
    detail = "Nothing but failures for 5 days; the last: answered 500."
    assert endpoint.reports()[1:] == [("disabled", "failing", 0, detail)]


def test_waits_of_a_day_between_attempts_are_no_pause(endpoint: Endpoint) -> None:
    """As the standard schedule has them at its end."""
    assert endpoint.fail_for(144, every=24)[-1] == GIVEN_UP


@pytest.mark.parametrize("hours_after", [0.001, 1, 11])
def test_one_failure_before_a_quiet_week_disables_nobody(endpoint: Endpoint, hours_after: float) -> None:
    """Nor do the first ones after it: only when half a day was tried in vain."""
    endpoint.note(FAILED)
    assert endpoint.after(FAILED, hours=7 * 24) == NOTHING
    assert endpoint.after(FAILED, hours=hours_after) == NOTHING
    assert endpoint.after(FAILED, hours=12 - hours_after) == GIVEN_UP


def test_a_clock_that_jumps_forward_disables_nobody(endpoint: Endpoint) -> None:
    """An hour of failing is an hour of failing, whatever the date is then."""
    endpoint.note(FAILED)
    assert endpoint.after(FAILED, hours=1) == NOTHING
    assert endpoint.after(FAILED, hours=30 * 24) == NOTHING


def test_a_clock_that_is_set_back_forgets_nothing_and_invents_nothing(endpoint: Endpoint) -> None:
    """The outage is counted from the earlier time then."""
    endpoint.fail_for(2)
    assert endpoint.after(FAILED, hours=-10) == NOTHING
    assert endpoint.after(FAILED, hours=11) == NOTHING
    assert endpoint.after(FAILED, hours=1) == TOLD


@pytest.mark.parametrize(("days", "verdicts"), [(1.0, [TOLD, GIVEN_UP]), (0.0, [TOLD])])
def test_the_days_can_be_set(tmp_path: Path, days: float, verdicts: list[Verdict]) -> None:
    """0 is never."""
    endpoint = Endpoint(tmp_path / "outbox.db", webhook_disable_after_days=days)
    assert endpoint.fail_for(240) == verdicts
    endpoint.connection.close()


def test_410_disables_at_once(endpoint: Endpoint) -> None:
    """The receiver is gone for good."""
    assert endpoint.note(GONE) == GIVEN_UP
    assert endpoint.state() == "disabled"
    assert endpoint.reports() == [("disabled", "gone", 0, "The receiver answered 410 Gone.")]


def test_a_receiver_may_ask_for_no_more(endpoint: Endpoint) -> None:
    """Also while it takes what it is sent."""
    assert endpoint.note(Outcome(None, "delivered", 200, asked="disable")) == GIVEN_UP
    assert [report[:2] for report in endpoint.reports()] == [("disabled", "asked")]


def test_what_was_on_its_way_to_a_disabled_endpoint_is_no_news(endpoint: Endpoint) -> None:
    """Several deliveries may be on their way when one is answered 410."""
    endpoint.note(GONE)
    assert [endpoint.note(outcome) for outcome in (GONE, FAILED, DELIVERED)] == [NOTHING] * 3
    assert len(endpoint.reports()) == 1


def test_an_endpoint_that_is_resumed_begins_anew(endpoint: Endpoint) -> None:
    """It is not given up again by the next failure; its first success is told."""
    endpoint.fail_for(120)
    endpoint.resume()
    assert endpoint.after(FAILED, hours=1) == NOTHING
    assert endpoint.after(DELIVERED, hours=1) == TOLD
    assert [report[:3] for report in endpoint.reports()][-1] == ("recovered", None, 0)


def test_one_that_was_resumed_in_vain_is_told_of_again(endpoint: Endpoint) -> None:
    """As failing, and five days later as disabled."""
    endpoint.note(GONE)
    endpoint.resume()
    assert endpoint.fail_for(120) == [TOLD, GIVEN_UP]


def test_bots_are_neither_told_of_nor_given_up(tmp_path: Path) -> None:
    """Whoever called one sees that it does not answer."""
    bot = Endpoint(tmp_path / "outbox.db", kind="bot")
    assert bot.fail_for(240) == [] and bot.state() == "active"
    bot.connection.close()


def test_what_was_not_sent_is_no_failure_of_the_endpoint(endpoint: Endpoint) -> None:
    """A delivery that was given up on our side says nothing of it."""
    for _ in range(240):
        assert endpoint.after(Outcome("expired", "the message was deleted"), hours=1) == NOTHING


def test_a_report_tells_no_secrets(endpoint: Endpoint) -> None:
    """Of an address in a failure neither user nor password nor query are said."""
    detail = "redirects to https://ann:pw@inner.example.com/path?token=t#f, which is not followed"
    redirected = Outcome("redirect", detail, 302)
    endpoint.note(redirected)
    endpoint.after(redirected, hours=12)
    assert endpoint.reports()[0][3] == "redirects to https://inner.example.com/path, which is not followed"
