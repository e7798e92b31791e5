"""How much somebody has not read. Where they are present they read what comes; see `campfire.domain.presence`."""

from typing import NamedTuple

from projections.read_models import ReadModels

MOST = 1_000
"""Counting stops here: "1,000" then means "at least"."""

# For each room: the messages after the read position (or after joining) that somebody else wrote.
# The inner LIMIT keeps a room that nobody opened for a year from being counted to the end.
_COUNTS = """
SELECT memberships.room_id, (
    SELECT COUNT(*) FROM (
        SELECT 1 FROM messages INDEXED BY messages_since
        WHERE messages.room_id = memberships.room_id
          AND messages.position > MAX(memberships.since_position, COALESCE(read_positions.position, 0))
          AND messages.author_id <> memberships.user_id
          AND messages.deleted_at IS NULL
        LIMIT ?
    )
)
FROM memberships LEFT JOIN read_positions
    ON read_positions.user_id = memberships.user_id AND read_positions.room_id = memberships.room_id
WHERE memberships.user_id = ? AND memberships.ended_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM presences
    WHERE presences.room_id = memberships.room_id AND presences.user_id = memberships.user_id
)
"""


_MENTIONS = """
SELECT mentions.room_id, COUNT(DISTINCT mentions.message_id)
FROM memberships LEFT JOIN read_positions
    ON read_positions.user_id = memberships.user_id AND read_positions.room_id = memberships.room_id
CROSS JOIN mentions INDEXED BY mentions_of_user
    ON mentions.user_id = memberships.user_id AND mentions.room_id = memberships.room_id
    AND mentions.position > MAX(memberships.since_position, COALESCE(read_positions.position, 0))
JOIN messages ON messages.position = mentions.position AND messages.author_id <> memberships.user_id
WHERE memberships.user_id = ? AND memberships.ended_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM presences
    WHERE presences.room_id = memberships.room_id AND presences.user_id = memberships.user_id
)
GROUP BY mentions.room_id
"""


class Unread(NamedTuple):
    """Messages that somebody has not read, and how many of them mention them."""

    messages: int
    mentions: int


NOTHING = Unread(0, 0)


async def counts(read_models: ReadModels, user_id: str) -> dict[str, Unread]:
    """What is unread in each room that somebody is a member of and not present in; at most `MOST` messages a room."""
    mentions = dict(await read_models.rows(_MENTIONS, (user_id,)))
    messages = await read_models.rows(_COUNTS, (MOST, user_id))
    return {room_id: Unread(count, mentions.get(room_id, 0)) for room_id, count in messages}
