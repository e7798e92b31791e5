"""The one place where an import's steps are done, by a server that runs or by a command line without one."""

from campfire.engine import Engine
from campfire.exports import person_import, room_import
from campfire.exports.steps import BeginPerson, BeginRoom, Done, EndRoom, RoomEvents, Step


async def take(engine: Engine, step: Step) -> Done:
    """Do one step. Raises `CampfireError`: `EXPORT_UNUSABLE` if it makes no sense here, and as `Engine.append` does."""
    if isinstance(step, BeginRoom):
        return await room_import.begin(engine, step)
    if isinstance(step, RoomEvents):
        return await room_import.take_events(engine, step)
    if isinstance(step, EndRoom):
        return await room_import.end(engine, step)
    if isinstance(step, BeginPerson):
        return person_import.begin(engine, step)
    return await person_import.take_events(engine, step)
