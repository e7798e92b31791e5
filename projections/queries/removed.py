"""What is on its way out."""

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
