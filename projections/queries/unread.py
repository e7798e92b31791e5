"""How much somebody has not read. Where they are present they read what comes; see `campfire.domain.presence`."""

from typing import NamedTuple

from projections.read_models import ReadModels

MOST = 500
"""Counting stops here: "500" then means "at least". Somebody who comes back after a year has it in a hundred rooms."""

# For each room: the messages after the read position (or after joining) that somebody else wrote.
# The inner LIMIT keeps a room that nobody opened for a year from being counted to the end.
_COUNTS = """
WITH mine AS MATERIALIZED (
    SELECT memberships.room_id, MAX(memberships.since_position, COALESCE(read_positions.position, 0)) AS read_upto
    FROM memberships LEFT JOIN read_positions
        ON read_positions.user_id = memberships.user_id AND read_positions.room_id = memberships.room_id
    WHERE memberships.user_id = :user_id AND memberships.ended_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM presences
        WHERE presences.room_id = memberships.room_id AND presences.user_id = memberships.user_id
    )
)
SELECT room_id, (
    SELECT COUNT(*) FROM (
        SELECT 1 FROM messages INDEXED BY messages_since
        WHERE messages.room_id = mine.room_id AND messages.position > read_upto
          AND messages.author_id <> :user_id AND messages.deleted_at IS NULL
        LIMIT :most
    )
), (
    SELECT COUNT(*) FROM (
        SELECT DISTINCT mentions.position FROM mentions INDEXED BY mentions_of_user
        WHERE mentions.user_id = :user_id AND mentions.room_id = mine.room_id AND mentions.position > read_upto
          AND NOT mentions.is_own
        LIMIT :most
    )
)
FROM mine
"""


class Unread(NamedTuple):
    """Messages that somebody has not read, and how many of them mention them."""

    messages: int
    mentions: int


NOTHING = Unread(0, 0)


async def counts(read_models: ReadModels, user_id: str) -> dict[str, Unread]:
    """What is unread in each room that somebody is a member of and not present in; at most `MOST` of either a room."""
    rows = await read_models.rows(_COUNTS, {"user_id": user_id, "most": MOST})
    return {room_id: Unread(messages, mentions) for room_id, messages, mentions in rows}
