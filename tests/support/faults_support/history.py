"""What clients remember, and whether the server agrees with it."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from campfire.domain.events import MessagePosted, RecordedEvent
from campfire.domain.public_view import audience_of
from campfire.eventlog.errors import LogDamaged
from campfire.eventlog.reader import LogReader
from campfire.eventlog.verification import verify


@dataclass(frozen=True)
class Acknowledged:
    """A message that the server said it has."""

    message_id: str
    position: int
    body: str


@dataclass
class Witnessed:
    """What one client saw of the feed, as (position, event), from `since` on."""

    user_id: str
    since: int = 0
    events: list[tuple[int, str]] = field(default_factory=list)


def violations(
    data: Path, acknowledged: list[Acknowledged], witnessed: list[Witnessed], rooms: dict[str, set[str]]
) -> list[str]:
    """Everything in which the log contradicts the clients; empty if it keeps its promise.

    `rooms` are the members of each room, who did not change while the clients watched.
    """
    reader = LogReader(data / "events.db")
    try:
        history = reader.read(0, limit=10_000_000)
        found = _order(history)
        try:
            verify(reader)
        except LogDamaged as damage:
            found.append(f"damaged: {damage}")
    finally:
        reader.close()
    return (
        found + _messages(history, acknowledged) + [line for each in witnessed for line in _feed(history, each, rooms)]
    )


def _order(history: list[RecordedEvent]) -> list[str]:
    positions = [recorded.position for recorded in history]
    return [] if positions == list(range(1, len(history) + 1)) else ["gap: positions are missing or repeated"]


def _messages(history: list[RecordedEvent], acknowledged: list[Acknowledged]) -> list[str]:
    posted = {recorded.position: recorded.event for recorded in history if isinstance(recorded.event, MessagePosted)}
    times = Counter(event.message_id for event in posted.values())
    bodies = Counter(event.body for event in posted.values())
    found = []
    for each in acknowledged:
        event = posted.get(each.position)
        if event is None or event.message_id != each.message_id or event.body != each.body:
            found.append(f"lost: message {each.message_id} was acknowledged at position {each.position}")
        if times[each.message_id] > 1 or bodies[each.body] > 1:
            found.append(f"repeated: message {each.message_id} is in the log more than once")
    return found


def _feed(history: list[RecordedEvent], witness: Witnessed, rooms: dict[str, set[str]]) -> list[str]:
    expected = [
        (recorded.position, recorded.event.topic)
        for recorded in history
        if recorded.position > witness.since and _may_see(witness.user_id, recorded, rooms)
    ]
    if witness.events == expected:
        return []
    missed = len(set(expected) - set(witness.events))
    extra = len(witness.events) - len(set(witness.events))
    return [f"feed: {witness.user_id} missed {missed}, saw {extra} twice, or saw them out of order"]


def _may_see(user_id: str, recorded: RecordedEvent, rooms: dict[str, set[str]]) -> bool:
    audience = audience_of(recorded.event)
    if audience.kind == "room":
        return user_id in rooms.get(audience.id or "", set())
    return audience.kind == "everyone" or (audience.kind == "user" and audience.id == user_id)
