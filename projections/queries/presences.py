"""Who has which room open."""

from typing import NamedTuple

from projections.read_models import ReadModels


class PresenceRow(NamedTuple):
    """Somebody who is present in a room, and since when in milliseconds."""

    user_id: str
    since: int


# Served by the primary key, which begins with the room.
_IN_ROOM = "SELECT user_id, since FROM presences WHERE room_id = ? ORDER BY since, user_id"


async def in_room(read_models: ReadModels, room_id: str) -> list[PresenceRow]:
    """Whoever came first, first."""
    return [PresenceRow(*row) for row in await read_models.rows(_IN_ROOM, (room_id,))]
