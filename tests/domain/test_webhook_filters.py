"""What an endpoint's filter lets through."""

from typing import Any, get_args

import pytest
from domain_support.world import World
from hypothesis import given
from hypothesis import strategies as st

from campfire.domain.events import Comparison, Condition, MessagePosted
from campfire.domain.public_view import public_view
from campfire.domain.webhook_filters import matches

VIEW = {
    "id": "m1",
    "body": "Deploy Straße 42",
    "count": 3,
    "none": None,
    "pinned": True,
    "author": {"id": "u1", "name": "Ada"},
    "attachments": [{"kind": "image", "bytes": 10}, {"kind": "text"}],
    "pair": ("x", "y"),
}


@pytest.mark.parametrize(
    ("field", "is_", "value", "holds"),
    [
        ("id", "equals", "m1", True),
        ("id", "equals", "M1", False),
        ("id", "not_equals", "m1", False),
        ("id", "not_equals", "m2", True),
        ("count", "equals", 3, True),
        ("count", "equals", "3", False),
        ("count", "not_equals", "3", True),
        ("pinned", "equals", True, True),
        ("pinned", "equals", 1, False),
        ("count", "equals", True, False),
        ("none", "equals", None, True),
        ("nowhere", "equals", None, True),
        ("nowhere", "equals", "x", False),
        ("nowhere", "not_equals", None, False),
        ("nowhere", "not_equals", "x", True),
        ("author.id", "equals", "u1", True),
        ("author.id.first", "equals", None, True),
        ("author.nobody", "equals", None, True),
        ("author", "equals", "u1", False),
        ("author", "contains", "u1", False),
        ("attachments.0.kind", "equals", "image", True),
        ("attachments.1.kind", "equals", "image", False),
        ("attachments.2.kind", "equals", None, True),
        ("attachments.kind", "equals", None, True),
        ("attachments.00.kind", "equals", "image", True),
        ("pair.1", "equals", "y", True),
        ("body.0", "equals", None, True),
        ("body", "contains", "STRASSE", True),
        ("body", "contains", "rocket", False),
        ("body", "contains", "", True),
        ("body", "not_contains", "deploy", False),
        ("body", "not_contains", "rocket", True),
        ("body", "starts_with", "dePLOY", True),
        ("body", "starts_with", "straße", False),
        ("count", "contains", "3", False),
        ("count", "not_contains", "3", True),
        ("count", "starts_with", "3", False),
        ("nowhere", "contains", "x", False),
        ("nowhere", "not_contains", "x", True),
        ("nowhere", "starts_with", "", False),
        ("body", "contains", None, False),
    ],
)
def test_a_condition_holds(field: str, is_: Comparison, value: Any, holds: bool) -> None:
    """Missing is null, texts are looked for whatever their case, and equal is equal to the letter."""
    assert matches([Condition(field, is_, value)], VIEW) is holds


def test_all_conditions_must_hold() -> None:
    """And no condition at all lets everything through."""
    holds, fails = Condition("id", "equals", "m1"), Condition("id", "equals", "m2")
    assert matches([], VIEW) and matches([holds, holds], VIEW)
    assert not matches([holds, fails], VIEW) and not matches([fails, holds], VIEW)


def test_a_filter_is_on_what_receivers_are_sent(world: World, ada: str) -> None:
    """The names are those of the event's `data`, as a receiver reads them."""
    world.post(world.first_room, ada, "All hands")
    event = world.log[-1].event
    assert isinstance(event, MessagePosted)
    view = public_view(event)
    assert view is not None
    mine = Condition("room_id", "equals", world.first_room)
    assert matches([mine, Condition("body", "starts_with", "all")], view)
    assert not matches([Condition("room_id", "not_equals", world.first_room)], view)


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything = st.recursive(
    plain, lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(max_size=3), inner), max_leaves=8
)
paths = st.text() | st.lists(st.text("ab01", max_size=2), max_size=4).map(".".join) | st.just("9" * 5000)
conditions = st.builds(Condition, paths, st.sampled_from(get_args(Comparison)), plain)


@given(st.lists(conditions, max_size=3), st.dictionaries(st.text("ab01", max_size=2), anything))
def test_no_filter_stops_the_planner(wanted: list[Condition], view: dict[str, Any]) -> None:
    """Whatever was recorded as a filter, and whatever an event holds: it lets through or does not."""
    assert matches(wanted, view) in (True, False)
