"""What is on its way out."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from projections.read_models import ReadModels


class DeletedMessage(NamedTuple):
    """A message that has been deleted, and whose text is still in the log."""

    id: str
    room_id: str


_TO_SCRUB = """
SELECT id, room_id FROM messages INDEXED BY messages_to_scrub
WHERE deleted_at <= ? AND scrubbed_at IS NULL AND deleted_at IS NOT NULL ORDER BY deleted_at LIMIT ?
"""


async def to_scrub(read_models: ReadModels, deleted_before: int, limit: int) -> list[DeletedMessage]:
    """The longest deleted first; `deleted_before` in milliseconds, included."""
    return [DeletedMessage(*row) for row in await read_models.rows(_TO_SCRUB, (deleted_before, limit))]


class StandingMessage(NamedTuple):
    """A message that is not deleted. `version` is its stream's last."""

    position: int
    id: str
    room_id: str
    version: int


_COLUMNS = "position, id, room_id, version"
_IN_ROOM = f"""
SELECT {_COLUMNS} FROM messages INDEXED BY messages_since
WHERE room_id = ? AND position > ? AND deleted_at IS NULL ORDER BY position LIMIT ?
"""
# A banned person's messages have no index of their own, which every message would pay for: the whole
# table is looked through once, a stretch at a time.
_BY_AUTHOR = f"""
SELECT {_COLUMNS} FROM messages WHERE position > ? AND position <= ? AND author_id = ? AND deleted_at IS NULL
"""
_STRETCH = 5_000
_OLDER = f"""
SELECT {_COLUMNS} FROM messages INDEXED BY messages_in_room
WHERE room_id = ? AND created_at < ? AND deleted_at IS NULL AND pinned_at IS NULL
ORDER BY created_at, position LIMIT ?
"""


async def in_room(read_models: ReadModels, room_id: str, limit: int) -> AsyncIterator[list[StandingMessage]]:
    """Page by page what stands in a room; each page must be deleted before the next is asked for."""
    after = 0
    while rows := await read_models.rows(_IN_ROOM, (room_id, after, limit)):
        page = [StandingMessage(*row) for row in rows]
        after = page[-1].position
        yield page


async def by_author(read_models: ReadModels, user_id: str, limit: int) -> AsyncIterator[list[StandingMessage]]:
    """What stands of one author, in pages of at most `limit`."""
    looked_upto = 0
    for _ in range(2):  # the second time for what was on its way when the first began
        [(last,)] = await read_models.rows("SELECT COALESCE(MAX(position), 0) FROM messages")
        for start in range(looked_upto, last, _STRETCH):
            rows = await read_models.rows(_BY_AUTHOR, (start, min(start + _STRETCH, last), user_id))
            for first in range(0, len(rows), limit):
                yield [StandingMessage(*row) for row in rows[first : first + limit]]
        looked_upto = last


async def older_than(
    read_models: ReadModels, room_id: str, before: int, limit: int
) -> AsyncIterator[list[StandingMessage]]:
    """What stands in a room from before a time (milliseconds), pinned messages apart; as `in_room`."""
    while rows := await read_models.rows(_OLDER, (room_id, before, limit)):
        yield [StandingMessage(*row) for row in rows]
