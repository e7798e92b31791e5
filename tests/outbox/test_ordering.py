"""What waits for what, whatever happens to what is in front."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from outbox_support.lines import Lines

from outbox import deliveries, queueing
from outbox.deliveries import Claimed

HOUR_MS = 3_600_000


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.mark.parametrize(
    ("ordering", "states"),
    [
        ("none", ["pending", "pending", "pending", "pending"]),
        ("room", ["pending", "queued", "pending", "pending"]),
        ("endpoint", ["pending", "queued", "queued", "queued"]),
    ],
)
def test_an_endpoint_says_what_waits_for_what(lines: Lines, ordering: str, states: list[str]) -> None:
    """Nothing for nothing, a room's events for each other, or all for each other; what is no room's is a line too."""
    lines.add_endpoint("e", ordering)
    assert lines.states(lines.plan("e", "r1", "r1", "r2", None)) == states


@pytest.mark.parametrize("how", ["delivered", "dead", "cancelled", "parked", "cancelled after a crash"])
def test_the_next_of_a_line_goes_when_the_one_in_front_ends(lines: Lines, how: str) -> None:
    """However it ends."""
    lines.add_endpoint("e")
    first, second, third = lines.plan("e", "r", "r", "r")
    claimed = lines.claim("e")
    assert claimed is not None and claimed.id == first and lines.claim("e") is None
    if how == "delivered":
        lines.end(claimed)
    elif how == "dead":
        lines.end(claimed, ok=False)
    elif how == "cancelled":
        lines.end(claimed, ok=False, wait=1)
        queueing.cancel(lines.connection, [first], "unwanted", lines.now)
    elif how == "parked":
        lines.now += HOUR_MS
        lines.end(claimed, ok=False, wait=HOUR_MS)
    else:
        queueing.cancel(lines.connection, [first], "unwanted", lines.now)
        assert lines.states([first, second]) == ["sending", "queued"]
        deliveries.take_back(lines.connection, lines.now)
        assert lines.state(first) == "cancelled"
    assert lines.states([second, third]) == ["pending", "queued"]


def test_what_is_cancelled_while_it_is_sent_is_sent_for_the_last_time(lines: Lines) -> None:
    """If it arrives it has arrived, and otherwise it is cancelled, for the reason that was given."""
    lines.add_endpoint("e")
    first, second = lines.plan("e", "r", "r")
    claimed = lines.claim("e")
    assert claimed is not None
    queueing.cancel_all(lines.connection, "e", "the webhook was deleted", lines.now)
    assert lines.states([first, second]) == ["sending", "cancelled"]
    lines.end(claimed, ok=False, wait=1)
    row = lines.connection.execute("SELECT state, failure FROM deliveries WHERE id = ?", (first,)).fetchone()
    assert row == ("cancelled", "the webhook was deleted")


def test_what_is_sent_again_stands_where_its_position_says(lines: Lines) -> None:
    """In front of what waits behind it, but behind what is on its way."""
    lines.add_endpoint("e")
    first, second, third = lines.plan("e", "r", "r", "r")
    dead = lines.claim("e")
    assert dead is not None
    lines.end(dead, ok=False)
    assert queueing.again(lines.connection, "e", [first, second], lines.now) == 1
    assert lines.states([first, second, third]) == ["pending", "queued", "queued"]
    on_its_way = lines.claim("e")
    assert on_its_way is not None and (on_its_way.id, on_its_way.round, on_its_way.attempts) == (first, 1, 2)


def test_what_is_put_back_while_a_later_one_is_on_its_way_does_not_wait_for_its_retries(lines: Lines) -> None:
    """The order is that of the log, whatever was being sent when somebody asked for the past."""
    lines.add_endpoint("e")
    early, _late = lines.plan("e", "r", "r")
    first = lines.claim("e")
    assert first is not None
    lines.end(first)
    second = lines.claim("e")
    assert second is not None
    queueing.again(lines.connection, "e", [early], lines.now)
    assert lines.claim("e") is None
    lines.end(second, ok=False, wait=60)
    again = lines.claim("e")
    assert again is not None and again.id == early


def test_a_changed_ordering_makes_the_lines_anew(lines: Lines) -> None:
    """By position, so that nothing is overtaken by the change."""
    lines.add_endpoint("e")
    ids = lines.plan("e", "r1", "r1", "r2", "r2")
    for ordering, states in [
        ("endpoint", ["pending", "queued", "queued", "queued"]),
        ("room", ["pending", "queued", "pending", "queued"]),
        ("none", ["pending", "pending", "pending", "pending"]),
        ("room", ["pending", "queued", "pending", "queued"]),
    ]:
        lines.connection.execute("UPDATE endpoints SET ordering = ?", (ordering,))
        queueing.reorder(lines.connection, "e")
        assert lines.states(ids) == states


def test_a_blocked_room_of_ten_thousand_costs_others_nothing(lines: Lines) -> None:
    """One writer serves everybody: the steps of a delivery stay as many, however many wait in a line."""

    def work(endpoint_id: str, room_id: str) -> int:
        """Rough instructions of SQLite's machine for planning, claiming and delivering one."""
        ticks = 0

        def tick() -> None:
            nonlocal ticks
            ticks += 1

        lines.connection.set_progress_handler(tick, 10)
        lines.plan(endpoint_id, room_id)
        claimed = lines.claim(endpoint_id)
        assert claimed is not None
        lines.end(claimed)
        lines.connection.set_progress_handler(None, 0)
        return ticks

    lines.add_endpoint("blocked")
    lines.add_endpoint("other")
    before = work("other", "r"), work("blocked", "another room")
    lines.plan("blocked", *["r"] * 10_000)
    lines.plan("other", "r")  # one that waits, as there before
    waiting = lines.claim("other")
    assert waiting is not None
    lines.end(waiting)
    head = lines.claim("blocked")
    assert head is not None
    lines.end(head, ok=False, wait=60)
    after = work("other", "r"), work("blocked", "another room")
    assert all(now <= 2 * then for now, then in zip(after, before, strict=True)), (before, after)


class AnyHistory(RuleBasedStateMachine):
    """Two endpoints that share a ledger, and what each delivery must be by now."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = Lines()
        self.ordering: dict[str, str] = {}
        self.sending: list[Claimed] = []

    @initialize(
        first=st.sampled_from(["none", "room", "endpoint"]), second=st.sampled_from(["none", "room", "endpoint"])
    )
    def found(self, first: str, second: str) -> None:
        for endpoint_id, ordering in (("a", first), ("b", second)):
            self.ordering[endpoint_id] = ordering
            self.lines.add_endpoint(endpoint_id, ordering)

    @rule(
        endpoint_id=st.sampled_from("ab"),
        rooms=st.lists(st.sampled_from(["r1", "r2", None]), min_size=1, max_size=4),
    )
    def plan(self, endpoint_id: str, rooms: list[str | None]) -> None:
        self.lines.plan(endpoint_id, *rooms)

    @rule(endpoint_id=st.sampled_from("ab"))
    def claim(self, endpoint_id: str) -> None:
        claimed = self.lines.claim(endpoint_id)
        if claimed is None:
            return
        if self.ordering[endpoint_id] != "none" and claimed.round == 1 and not claimed.is_late:
            assert self._in_front_of(claimed) == [], "an earlier one of its line waits"
        self.sending.append(claimed)

    @precondition(lambda self: self.sending)
    @rule(chance=st.randoms(use_true_random=False), wait=st.sampled_from([None, 1, 300, 7200]), ok=st.booleans())
    def end(self, chance: random.Random, wait: float | None, ok: bool) -> None:
        claimed = self.sending.pop(chance.randrange(len(self.sending)))
        self.lines.end(claimed, ok=ok, wait=wait)

    @rule(endpoint_id=st.sampled_from("ab"), chance=st.randoms(use_true_random=False))
    def cancel(self, endpoint_id: str, chance: random.Random) -> None:
        queueing.cancel(self.lines.connection, self._some(endpoint_id, chance), "unwanted", self.lines.now)

    @rule(endpoint_id=st.sampled_from("ab"))
    def cancel_all(self, endpoint_id: str) -> None:
        queueing.cancel_all(self.lines.connection, endpoint_id, "unwanted", self.lines.now)

    @rule(endpoint_id=st.sampled_from("ab"))
    def cancel_all_but_latest(self, endpoint_id: str) -> None:
        queueing.cancel_all_but_latest(self.lines.connection, endpoint_id, "unwanted", self.lines.now)
        rooms = self._rows(
            "SELECT room_id FROM deliveries WHERE endpoint_id = ? AND state IN ('queued', 'pending')", endpoint_id
        )
        assert len(rooms) == len(set(rooms))

    @rule(endpoint_id=st.sampled_from("ab"), chance=st.randoms(use_true_random=False))
    def again(self, endpoint_id: str, chance: random.Random) -> None:
        queueing.again(self.lines.connection, endpoint_id, self._some(endpoint_id, chance), self.lines.now)

    @rule()
    def crash(self) -> None:
        self.sending.clear()
        deliveries.take_back(self.lines.connection, self.lines.now)

    @rule(minutes=st.sampled_from([0, 1, 6, 20, 240]))
    def wait(self, minutes: int) -> None:
        self.lines.now += minutes * 60_000

    @rule(endpoint_id=st.sampled_from("ab"))
    def reorder(self, endpoint_id: str) -> None:
        queueing.reorder(self.lines.connection, endpoint_id)

    @invariant()
    def one_of_a_line_is_on_its_way_and_nothing_waits_for_nobody(self) -> None:
        for endpoint_id, ordering in self.ordering.items():
            line = {"none": "id", "room": "COALESCE(room_id, '')", "endpoint": "''"}[ordering]
            for heads, queued in self._rows(
                "SELECT SUM(state IN ('pending', 'sending') AND parked_at IS NULL), SUM(state = 'queued')"
                f" FROM deliveries WHERE endpoint_id = ? GROUP BY {line}",
                endpoint_id,
            ):
                assert heads <= 1, "two of a line may be sent at once"
                assert heads == 1 or not queued, "nothing is in front, and yet it waits"

    def teardown(self) -> None:
        """Whatever happened: once everything is taken, nothing waits any more."""
        self.crash()
        self.lines.now += 100 * HOUR_MS
        for endpoint_id in self.ordering:
            while (claimed := self.lines.claim(endpoint_id)) is not None:
                self.lines.end(claimed)
            waiting = self._rows(
                "SELECT id FROM deliveries WHERE endpoint_id = ? AND state IN ('queued', 'pending', 'sending')",
                endpoint_id,
            )
            assert waiting == []
        self.lines.connection.close()

    def _some(self, endpoint_id: str, chance: random.Random) -> list[str]:
        ids = [row[0] for row in self._rows("SELECT id FROM deliveries WHERE endpoint_id = ?", endpoint_id)]
        return [each for each in ids if chance.random() < 0.4]

    def _in_front_of(self, claimed: Claimed) -> list[Any]:
        by_room = self.ordering[claimed.endpoint_id] == "room"
        return self._rows(
            "SELECT id FROM deliveries WHERE endpoint_id = ? AND position < ? AND parked_at IS NULL"
            " AND state IN ('queued', 'pending', 'sending') AND (NOT ? OR room_id IS ?)",
            claimed.endpoint_id,
            claimed.position,
            by_room,
            claimed.room_id,
        )

    def _rows(self, statement: str, *parameters: object) -> list[Any]:
        return self.lines.connection.execute(statement, parameters).fetchall()


AnyHistory.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestAnyHistory = AnyHistory.TestCase
