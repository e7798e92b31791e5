"""The one implementation of "the events that this person may see, from a position on".

WebSocket, Server-Sent Events and long poll all begin here. A cursor reads the log page by page up to
`engine.position`; both the position and the hub's live subscribers change only on the event loop, so
going live in the moment when nothing is left to read can neither lose an event nor repeat one.
"""

import asyncio

import msgspec
import structlog

from campfire.api.feed import frames
from campfire.api.feed.frames import EncodedEvent
from campfire.domain.directory import Directory
from campfire.domain.events import MessageEdited, MessagePosted, RecordedEvent
from campfire.domain.public_view import Audience, audience_of
from campfire.engine import Engine
from projections.queries import messages
from projections.queries.messages import Changed

MOST_REPLAYED = 10_000
"""Events; a client further behind is told to load its rooms anew, which is faster for both."""

_PAGE = 500

log = structlog.get_logger()


class LastSeen(msgspec.Struct, frozen=True):
    """What a client says that it has: nothing (`position` None), a position, or something unreadable."""

    position: int | None = None
    epoch: str | None = None
    malformed: bool = False


class Start(msgspec.Struct, frozen=True):
    """Where a feed begins: events follow after `position`. With `resync` the client must load its rooms first."""

    position: int
    epoch: str
    resync: bool


def start_of(engine: Engine, last: LastSeen) -> Start:
    """Where a client that has seen this begins."""
    now = engine.position
    if last.position is None and not last.malformed:
        return Start(now, engine.epoch, resync=False)
    of_this_epoch = last.epoch is None or last.epoch == engine.epoch
    if last.position is None or not of_this_epoch or not now - MOST_REPLAYED <= last.position <= now:
        return Start(now, engine.epoch, resync=True)
    return Start(last.position, engine.epoch, resync=False)


def is_ahead(engine: Engine, last: LastSeen) -> bool:
    """Whether the client has seen what this log does not hold, which means that history was lost."""
    of_this_epoch = last.epoch is None or last.epoch == engine.epoch
    return of_this_epoch and last.position is not None and last.position > engine.position


class Cursor:
    """How far one person's feed has come."""

    def __init__(self, engine: Engine, user_id: str, position: int) -> None:
        self.position = position
        self._engine = engine
        self._user_id = user_id

    @property
    def at_tip(self) -> bool:
        return self.position >= self._engine.position

    async def read_page(self) -> list[EncodedEvent]:
        """Go on by one page of the log, and return what of it the person may see now.

        The text of messages that were deleted since is left out, and what edited ones said before.
        Raises what `LogReader.read` raises.
        """
        engine = self._engine
        # Never past `position`: what is committed but not yet published reaches live subscribers by itself.
        page = await asyncio.to_thread(engine.reader.read, self.position, _PAGE, engine.position)
        texts = {recorded.stream_id for recorded in page if frames.holds_text(recorded)}
        changed = await messages.changed_among(engine.read_models, texts) if texts else {}
        self.position = page[-1].position
        return [
            EncodedEvent(recorded, lost=_lost(recorded, changed.get(recorded.stream_id)))
            for recorded in page
            if may_see(engine.directory, self._user_id, audience_of(recorded.event))
        ]


def _lost(recorded: RecordedEvent, changed: Changed | None) -> frames.Lost | None:
    """Why the event's text is not shown any more."""
    if changed is None or not frames.holds_text(recorded):
        return None
    if changed.is_deleted:
        return "deleted"
    event = recorded.event
    is_former = isinstance(event, (MessagePosted, MessageEdited)) and event.body != changed.body
    return "edited" if is_former else None


def may_see(directory: Directory, user_id: str, audience: Audience) -> bool:
    """Whether somebody belongs to an audience, as things are now."""
    if audience.kind == "room":
        return audience.also_user == user_id or directory.is_member(audience.id or "", user_id)
    if audience.kind == "user":
        return audience.id == user_id
    if audience.kind == "administrators":
        return directory.users[user_id].role == "administrator"
    return audience.kind == "everyone"
