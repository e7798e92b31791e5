"""What an applier is: how one kind of event changes the directory."""

from collections.abc import Callable
from typing import Any

from campfire.domain.directory import Directory
from campfire.domain.events import Event, RecordedEvent

Appliers = dict[type[Event], Callable[[Directory, Any, RecordedEvent], None]]
