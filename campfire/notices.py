"""Telling the administrators something, in a room of their own."""

import contextlib

from campfire.domain import ids
from campfire.domain.notices import decide_notice, decide_room_for_notices
from campfire.engine import Engine
from campfire.eventlog.errors import VersionConflict


async def post(engine: Engine, text: str, client_message_id: str) -> str:
    """Say `text` in the administrators' room and return the message's id; the same `client_message_id` is said once.

    Administrators who came since the last notice are in the room for this one, and who is none any more is not.
    Raises what `Engine.append` raises, and `RoomBeingDeleted`, `RoomNotFound` if the room is going just now:
    whoever has something to say tries again.
    """
    await engine.perform(lambda: decide_room_for_notices(engine.directory, at=engine.clock.now_ms()))
    said = decide_notice(engine.directory, text=text, client_message_id=client_message_id, at=engine.clock.now_ms())
    with contextlib.suppress(VersionConflict):  # the stream is this message's alone: it has been said
        await engine.append(said)
    return ids.message_id(ids.ADMINISTRATORS_ROOM, ids.NOTICES_BOT, client_message_id)
