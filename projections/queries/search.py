"""Searching messages: page by page, newest first or most relevant first, with what was found in each."""

import re
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from campfire.errors import CampfireError
from projections.queries.messages import COLUMNS, MessageRow
from projections.queries.search_scope import Search, asks_for_something
from projections.queries.search_text import body_expression
from projections.read_models import ReadModels
from projections.search import FILE, IMAGE, LINK, author_word, period_words, room_word

SECONDS = 2.0
"""A search that takes longer is given up: chat comes first."""

Order = Literal["newest", "relevance"]

_END_OF_TIME = 1 << 62
_RANKED = 2_000
"""Of the newest hits, by relevance."""
_HAS_FACET = {"file": FILE, "image": IMAGE, "link": LINK}
_HAS_ROWS = {
    "boost": "EXISTS (SELECT 1 FROM boosts WHERE boosts.message_id = messages.id)",
    "thread": """EXISTS (
    SELECT 1 FROM messages AS replies INDEXED BY messages_in_thread
    WHERE replies.thread_id = messages.id AND replies.deleted_at IS NULL
)""",
}
_WIDTH = len(MessageRow.__struct_fields__)
_BODY = MessageRow.__struct_fields__.index("body")
_CURSOR = re.compile(r"\d{1,18}(\.\d{1,18})*", re.ASCII)

_MARKS = {"one": "\ue000", "other": "\ue001"}
_MARK = re.compile(_MARKS["one"])

# The same text marked twice with different marks: where the two differ is a mark, whatever the body holds.
_MARKED = """
    highlight(message_search, 0, :one, :one) AS one, highlight(message_search, 0, :other, :other) AS other
"""
_HITS = """
FROM message_search CROSS JOIN messages ON messages.position = message_search.rowid
JOIN users ON users.id = messages.author_id
WHERE message_search MATCH :expression AND message_search.rowid <= :newest
    AND messages.deleted_at IS NULL AND messages.created_at >= :after AND messages.created_at < :before {conditions}
ORDER BY message_search.rowid DESC
"""
# In the row's own order the index stops as soon as the page is full.
_NEWEST = f"SELECT {COLUMNS}, {_MARKED} {_HITS} LIMIT :limit"
# Most relevant are those of the newest hits that say the words often for their length (the curve of BM25,
# k1 = 1.2, b = 0.75, for bodies of a hundred characters) or as they were typed. Not `bm25()` over all hits,
# which has to visit every message that holds any word of the query, the room's too: 245 ms for a common word
# among 400,000 messages, against 15 ms; and that with sizes of columns, which every message would pay for.
_RELEVANCE = f"""
WITH hits AS MATERIALIZED (
    SELECT messages.position AS place, messages.body AS said, {_MARKED} {_HITS} LIMIT {_RANKED}
), counted AS (
    SELECT *, LENGTH(said) AS length, (LENGTH(one) - LENGTH(said)) / 2.0 AS found FROM hits
), ranked AS (
    SELECT *, CAST(1e6 * (
        found * 2.2 / (found + 1.2 * (0.25 + 0.75 * length / 100.0)) + (INSTR(LOWER(said), LOWER(:typed)) > 0)
    ) AS INTEGER) AS score FROM counted
)
SELECT {COLUMNS}, one, other, score, (SELECT MAX(place) FROM hits)
FROM ranked CROSS JOIN messages ON messages.position = place JOIN users ON users.id = messages.author_id
WHERE (score, place) < (:score, :place) ORDER BY score DESC, place DESC LIMIT :limit
"""


class Hit(NamedTuple):
    """A message, and which characters of its body were looked for: from the first to before the second."""

    message: MessageRow
    highlights: list[tuple[int, int]]


class Page(NamedTuple):
    """Hits, and the cursor of the page after them; None after the last one."""

    hits: list[Hit]
    next: str | None


async def search(
    read_models: ReadModels, search: Search, limit: int, *, order: Order = "newest", cursor: str | None = None
) -> Page:
    """A page of what was asked for. Raises `CampfireError` `SEARCH_UNAVAILABLE`; `VALIDATION_FAILED` for a cursor
    that is not from this order's last page.
    """
    place = _place(order, cursor)
    after, before = _period(search)
    expression = _expression(search)
    if expression is None:
        return Page([], None)
    parameters = {
        **_MARKS,
        **place,
        "expression": expression,
        "after": after,
        "before": before,
        "typed": " ".join(term.text for term in search.terms),
        "limit": limit + 1,
    }
    statement = {"newest": _NEWEST, "relevance": _RELEVANCE}[order]
    conditions = "".join(f" AND {_HAS_ROWS[thing]}" for thing in sorted(search.has & _HAS_ROWS.keys()))
    rows = await _rows(read_models, statement.format(conditions=conditions), parameters)
    hits = [Hit(MessageRow(*row[:_WIDTH]), _highlights(row[_BODY], *row[_WIDTH : _WIDTH + 2])) for row in rows[:limit]]
    return Page(hits, _cursor(order, rows[limit - 1]) if len(rows) > limit else None)


def _expression(search: Search) -> str | None:
    """The FTS5 query; None if nothing can be found, or nothing was asked for."""
    after, before = _period(search)
    if not search.room_ids or not asks_for_something(search) or after >= before:
        return None
    facets = [_any_of(room_word(room_id) for room_id in search.room_ids)]
    if search.senders is not None:
        facets.append(_any_of(author_word(person.id) for person in search.senders))
    if search.after is not None or search.before is not None:
        facets.append(_any_of(period_words(after, before)))
    facets += [f'"{word}"' for thing, word in _HAS_FACET.items() if thing in search.has]
    found_by = f"{{facets}} : ({' AND '.join(facets)})"
    return f"{found_by} AND {{body}} : ({body_expression(search.terms)})" if search.terms else found_by


def _any_of(words: Iterable[str]) -> str:
    return "(" + " OR ".join(f'"{word}"' for word in words) + ")"


def _period(search: Search) -> tuple[int, int]:
    return (
        -_END_OF_TIME if search.after is None else search.after,
        _END_OF_TIME if search.before is None else search.before,
    )


async def _rows(read_models: ReadModels, statement: str, parameters: dict[str, Any]) -> list[Any]:
    try:
        return await read_models.rows(statement, parameters, seconds=SECONDS)
    except TimeoutError as error:
        raise CampfireError(
            "SEARCH_UNAVAILABLE", "The search took too long; try more or longer words.", retry_after=5
        ) from error
    except sqlite3.DatabaseError as error:
        raise CampfireError("SEARCH_UNAVAILABLE", "The search index cannot be read now.", retry_after=30) from error


def _highlights(body: str, one: str, other: str) -> list[tuple[int, int]]:
    """The places in `body`; none if the index holds another text than the message (it is behind)."""
    marks = [mark.start() for mark in _MARK.finditer(one) if other[mark.start()] != mark[0]]
    ends = [place - number for number, place in enumerate(marks)]
    pieces = [one[start + 1 : end] for start, end in pairwise([-1, *marks, len(one)])]
    return list(zip(ends[::2], ends[1::2], strict=True)) if "".join(pieces) == body else []


def _place(order: Order, cursor: str | None) -> dict[str, int]:
    """Where a page begins. Relevance has the score and position of the last hit, and the newest message of the
    first page: those that came since have no place in the order that the reader is paging through.
    """
    names = ("newest",) if order == "newest" else ("score", "place", "newest")
    if cursor is None:
        return dict.fromkeys(names, _END_OF_TIME)
    if not _CURSOR.fullmatch(cursor) or cursor.count(".") != len(names) - 1:
        detail = "before must be `next` of a page in the same order."
        raise CampfireError("VALIDATION_FAILED", detail, errors=[{"field": "before", "message": detail}])
    return dict(zip(names, map(int, cursor.split(".")), strict=True))


def _cursor(order: Order, last: Sequence[Any]) -> str:
    """What `_place` reads, from a page's last row."""
    row = MessageRow(*last[:_WIDTH])
    return str(row.position - 1) if order == "newest" else f"{last[-2]}.{row.position}.{last[-1]}"
