"""Searching messages. Anything that somebody types is a valid search."""

import re
import sqlite3
from collections.abc import Collection

import msgspec

from campfire.errors import CampfireError
from projections.queries.messages import COLUMNS, MessageRow
from projections.read_models import ReadModels

SECONDS = 2.0
"""A search that takes longer is given up: chat comes first."""

_TERM = re.compile(r'"([^"]*)"|(\S+)')
_WORD = re.compile(r"\w+")
_PREFIX_FROM = 3
"""Letters that the last word needs before it also finds longer words; shorter prefixes match too much."""
_MOST_TERMS = 20

# Newest first by the row's own order: ranking would have to look at every hit of a common word.
_SEARCH = f"""
SELECT {COLUMNS}
FROM message_search CROSS JOIN messages ON messages.position = message_search.rowid
JOIN users ON users.id = messages.author_id
WHERE message_search MATCH ? AND messages.room_id IN (SELECT value FROM json_each(?)) AND messages.deleted_at IS NULL
ORDER BY message_search.rowid DESC LIMIT ?
"""


def match_expression(text: str) -> str | None:
    """The FTS5 query for what somebody typed; None if there is no word in it.

    Words must all occur; "quoted words" as a phrase; the last word also as the beginning of one.
    """
    phrases: list[str] = []
    for quoted, bare in _TERM.findall(text):
        words = _WORD.findall(quoted or bare)
        if words:
            phrases.append('"' + " ".join(words) + '"')
    if not phrases:
        return None
    expression = phrases[:_MOST_TERMS]
    last = _WORD.findall(text)[-1]
    if len(last) >= _PREFIX_FROM and text.endswith(last):
        expression[-1] += "*"
    return " ".join(expression)


async def search(read_models: ReadModels, text: str, room_ids: Collection[str], limit: int) -> list[MessageRow]:
    """The newest messages in `room_ids` that hold `text`. Raises `CampfireError` `SEARCH_UNAVAILABLE`."""
    expression = match_expression(text)
    if expression is None or not room_ids:
        return []
    rooms = msgspec.json.encode(list(room_ids)).decode()
    try:
        rows = await read_models.rows(_SEARCH, (expression, rooms, limit), seconds=SECONDS)
    except TimeoutError as error:
        raise CampfireError(
            "SEARCH_UNAVAILABLE", "The search took too long; try more or longer words.", retry_after=5
        ) from error
    except sqlite3.DatabaseError as error:
        raise CampfireError("SEARCH_UNAVAILABLE", "The search index cannot be read now.", retry_after=30) from error
    return [MessageRow(*row) for row in rows]
