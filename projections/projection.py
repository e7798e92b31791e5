"""What a projection is: a name, a version, the tables it owns, and what it does about each event."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from campfire.domain.events import Event, RecordedEvent

Handler = Callable[[sqlite3.Connection, Sequence[Any]], None]
"""Takes a run of recorded events of one type, in order."""


@dataclass(frozen=True)
class Projection:
    """Deterministic: no clock, no chance, no network, no setting that is not in the event.

    Raise `version` whenever the same events should give other rows; the tables are then rebuilt.
    `indexes` serve queries only; a rebuild runs them last, and again if it was interrupted there.
    """

    name: str
    version: int
    tables: tuple[str, ...]
    schema: str
    handlers: Mapping[type[Event], Handler]
    indexes: str = ""

    def apply(self, connection: sqlite3.Connection, events: Sequence[RecordedEvent]) -> None:
        """Take in `events`, all of types that `handlers` knows, in order."""
        for event_type, run in groupby(events, key=_type_of_event):
            self.handlers[event_type](connection, tuple(run))


def each(handler: Callable[[sqlite3.Connection, Any, RecordedEvent], None]) -> Handler:
    """A handler that looks at one event at a time: `handler(connection, event, recorded)`."""

    def handle(connection: sqlite3.Connection, run: Sequence[RecordedEvent]) -> None:
        for recorded in run:
            handler(connection, recorded.event, recorded)

    return handle


def _type_of_event(recorded: RecordedEvent) -> type[Event]:
    return type(recorded.event)
