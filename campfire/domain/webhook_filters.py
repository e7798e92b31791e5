"""Which events an endpoint wants of those that it subscribed to, by what their public data says."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from campfire.domain.errors import refused
from campfire.domain.events import Condition

MOST_CONDITIONS = 10
MAX_FIELD = 100
MAX_TEXT = 500
MAX_NUMBER = 2**53 - 1
"""As far as every JSON reader counts exactly (RFC 8259, section 6)."""
FIELD = r"[a-z0-9_]+(\.[a-z0-9_]+)*"
_FIELD = re.compile(FIELD)
_INDEX = re.compile(r"[0-9]{1,9}")
_OF_TEXTS = ("contains", "not_contains", "starts_with")


def matches(conditions: Sequence[Condition], view: Mapping[str, Any] | None) -> bool:
    """Whether all of `conditions` hold for an event's public data. Never raises, whatever they hold.

    A field that is not there is null. Texts are found in each other whatever their case (`contains`, `not_contains`,
    `starts_with`), and nothing is found in what is no text; what must be equal must be so to the letter.
    """
    return all(_holds(condition, _at(condition.field, view)) for condition in conditions)


def require_usable_filter(conditions: Sequence[Condition]) -> None:
    """Raises `ValidationFailed` that names the condition, for one that can mean nothing."""
    if len(conditions) > MOST_CONDITIONS:
        raise refused("filter", f"must have at most {MOST_CONDITIONS} conditions")
    for number, condition in enumerate(conditions):
        field, value = condition.field, condition.value
        if len(field) > MAX_FIELD or not _FIELD.fullmatch(field):
            raise refused(
                f"filter[{number}].field",
                f"must be names of a to z, 0 to 9 and _ with dots between, at most {MAX_FIELD} characters",
            )
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise refused(f"filter[{number}].value", f"must have at most {MAX_TEXT} characters")
        if isinstance(value, int) and abs(value) > MAX_NUMBER:
            raise refused(f"filter[{number}].value", f"must be a number from -{MAX_NUMBER} to {MAX_NUMBER}")
        if condition.is_ in _OF_TEXTS and not isinstance(value, str):
            raise refused(f"filter[{number}].value", f"must be a text for {condition.is_}")


def _holds(condition: Condition, found: Any) -> bool:
    match condition.is_:
        case "equals":
            return _equal(found, condition.value)
        case "not_equals":
            return not _equal(found, condition.value)
        case "contains":
            return _folded(condition.value) in _folded(found) if _are_texts(condition, found) else False
        case "not_contains":
            return _folded(condition.value) not in _folded(found) if _are_texts(condition, found) else True
        case "starts_with":
            return _folded(found).startswith(_folded(condition.value)) if _are_texts(condition, found) else False


def _at(field: str, view: Any) -> Any:
    """What stands at a dotted path, None if it leads nowhere."""
    for step in field.split("."):
        if isinstance(view, Mapping):
            view = view.get(step)
        elif isinstance(view, (list, tuple)) and _INDEX.fullmatch(step) and int(step) < len(view):
            view = view[int(step)]
        else:
            return None
    return view


def _equal(found: Any, value: Any) -> bool:
    # To Python True is 1; to whoever wrote the filter in JSON it is not.
    return isinstance(found, bool) == isinstance(value, bool) and bool(found == value)


def _are_texts(condition: Condition, found: Any) -> bool:
    return isinstance(found, str) and isinstance(condition.value, str)


def _folded(text: Any) -> str:
    return str(text).casefold()
