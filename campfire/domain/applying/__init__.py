"""How each event changes the directory."""

from campfire.domain.applying import integrations, people, push, rooms
from campfire.domain.directory import Directory
from campfire.domain.events import RecordedEvent

_APPLIERS = {**people.APPLIERS, **rooms.APPLIERS, **integrations.APPLIERS, **push.APPLIERS}


def apply(directory: Directory, recorded: RecordedEvent) -> None:
    """Take in what happened. Events that no decision needs change nothing."""
    applier = _APPLIERS.get(type(recorded.event))
    if applier is not None:
        applier(directory, recorded.event, recorded)
