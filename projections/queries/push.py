"""What a notification about a message needs to know."""

from collections.abc import Collection

import msgspec

from projections.queries.details import MentionRow
from projections.read_models import ReadModels


async def members_then_and_now(read_models: ReadModels, room_id: str, position: int) -> set[str]:
    """Who was a member when something was posted at `position`, and is one without having left since."""
    rows = await read_models.rows(
        "SELECT user_id FROM memberships WHERE room_id = ? AND ended_at IS NULL AND since_position < ?",
        (room_id, position),
    )
    return {row[0] for row in rows}


async def mentions_in(read_models: ReadModels, message_id: str) -> list[MentionRow]:
    """Whom a message mentions, as it reads now."""
    rows = await read_models.rows(
        "SELECT user_id, users.name, start, end FROM mentions JOIN users ON users.id = user_id"
        " WHERE message_id = ? ORDER BY start, user_id",
        (message_id,),
    )
    return [MentionRow(*row) for row in rows]


# One row of the index a room: whether there is anything, not how much.
_UNREAD_ROOMS = """
SELECT memberships.user_id, COUNT(*)
FROM memberships LEFT JOIN read_positions
    ON read_positions.user_id = memberships.user_id AND read_positions.room_id = memberships.room_id
WHERE memberships.user_id IN (SELECT value FROM json_each(?)) AND memberships.ended_at IS NULL
    AND COALESCE(memberships.involvement, '') <> 'invisible'
    AND NOT EXISTS (
        SELECT 1 FROM presences
        WHERE presences.room_id = memberships.room_id AND presences.user_id = memberships.user_id
    )
    AND EXISTS (
        SELECT 1 FROM messages INDEXED BY messages_since
        WHERE messages.room_id = memberships.room_id
            AND messages.position > MAX(memberships.since_position, COALESCE(read_positions.position, 0))
            AND messages.author_id <> memberships.user_id
            AND messages.deleted_at IS NULL
    )
GROUP BY memberships.user_id
"""


async def unread_rooms(read_models: ReadModels, user_ids: Collection[str]) -> dict[str, int]:
    """In how many rooms each of these people has something to read; not where they are present, nor invisible ones."""
    people = msgspec.json.encode(sorted(user_ids)).decode()
    return dict(await read_models.rows(_UNREAD_ROOMS, (people,)))
