"""What a view is: the members of the JSON object that stands for an event."""

from collections.abc import Callable
from typing import Any

from campfire.domain.events import Event

View = dict[str, Any]
Views = dict[type[Event], Callable[[Any], View]]
