"""Whether an event is one that an endpoint's conditions let through."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from campfire.domain.events import Condition


def matches(conditions: Iterable[Condition], view: Mapping[str, Any] | None) -> bool:
    """Whether all conditions hold for an event's public data. A field that is not there equals null."""
    return all(_holds(condition, _field(view, condition.field)) for condition in conditions)


def _holds(condition: Condition, found: Any) -> bool:
    wanted = condition.value
    match condition.is_:
        case "equals":
            return _equal(found, wanted)
        case "not_equals":
            return not _equal(found, wanted)
        case "contains":
            return _contains(found, wanted)
        case "not_contains":
            return not _contains(found, wanted)
        case "starts_with":
            return isinstance(found, str) and isinstance(wanted, str) and found.startswith(wanted)


def _equal(found: Any, wanted: Any) -> bool:
    return type(found) is type(wanted) and bool(found == wanted)  # true is not 1


def _contains(found: Any, wanted: Any) -> bool:
    if isinstance(found, str):
        return isinstance(wanted, str) and wanted in found
    return isinstance(found, list | tuple) and any(_equal(each, wanted) for each in found)


def _field(view: Any, path: str) -> Any:
    for name in path.split("."):
        if isinstance(view, Mapping):
            view = view.get(name)
        elif isinstance(view, Sequence) and not isinstance(view, str) and name.isdecimal() and int(name) < len(view):
            view = view[int(name)]
        else:
            return None
    return view
