"""Searching messages. Anything that somebody types is a valid search."""

import re
import sqlite3
from collections.abc import Collection

from campfire.errors import CampfireError
from projections.queries.messages import COLUMNS, MessageRow
from projections.read_models import ReadModels
from projections.search import room_word

SECONDS = 2.0
"""A search that takes longer is given up: chat comes first."""

_TERM = re.compile(r'"([^"]*)"|([^\s"]+)')
_LETTERS_AT_THE_END = re.compile(r"\w+\Z")
_PREFIX_FROM = 2
"""Letters that the last word needs before it also finds longer words; one letter matches too much."""
_MOST_CHARACTERS = 500
"""What is typed beyond is ignored: every word costs a look into the index."""

# Newest first by the row's own order: ranking would have to look at every hit of a common word.
_SEARCH = f"""
SELECT {COLUMNS}
FROM message_search CROSS JOIN messages ON messages.position = message_search.rowid
JOIN users ON users.id = messages.author_id
WHERE message_search MATCH ? AND messages.deleted_at IS NULL
ORDER BY message_search.rowid DESC LIMIT ?
"""


def match_expression(text: str) -> str | None:
    """The FTS5 query for what somebody typed; None if nothing was.

    Words must all occur; "quoted words" as a phrase; the last word also as the beginning of one.
    Everything goes in as FTS5 strings, which hold any text and which the index itself splits into
    words, so that the query sees the same words as the messages; one without a word is ignored.
    """
    # FTS5 reads a query up to the first NUL; a lone surrogate cannot be put into UTF-8.
    clean = text[:_MOST_CHARACTERS].replace("\0", " ").encode(errors="replace").decode()
    terms = [quoted or bare for quoted, bare in _TERM.findall(clean)]
    if not terms:
        return None
    expression = " ".join(f'"{term}"' for term in terms)
    begun = _LETTERS_AT_THE_END.search(terms[-1])
    if begun and len(begun[0]) >= _PREFIX_FROM and clean.endswith(begun[0]):
        expression += "*"
    return expression


async def search(read_models: ReadModels, text: str, room_ids: Collection[str], limit: int) -> list[MessageRow]:
    """The newest messages in `room_ids` that hold `text`. Raises `CampfireError` `SEARCH_UNAVAILABLE`."""
    expression = match_expression(text)
    if expression is None or not room_ids:
        return []
    rooms = " OR ".join(f'"{room_word(room_id)}"' for room_id in room_ids)
    try:
        rows = await read_models.rows(
            _SEARCH, (f"{{room}} : ({rooms}) AND {{body}} : ({expression})", limit), seconds=SECONDS
        )
    except TimeoutError as error:
        raise CampfireError(
            "SEARCH_UNAVAILABLE", "The search took too long; try more or longer words.", retry_after=5
        ) from error
    except sqlite3.DatabaseError as error:
        raise CampfireError("SEARCH_UNAVAILABLE", "The search index cannot be read now.", retry_after=30) from error
    return [MessageRow(*row) for row in rows]
