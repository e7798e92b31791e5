"""Searching messages: page by page, newest first or most relevant first, with what was found in each."""

import re
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import msgspec

from campfire.errors import CampfireError
from projections.queries.messages import COLUMNS, MessageRow
from projections.queries.search_scope import Search, asks_for_something
from projections.queries.search_text import Thing, body_expression
from projections.read_models import ReadModels
from projections.search import BOOST, FILE, IMAGE, LINK, THREAD, author_word, period_words, room_word

SECONDS = 2.0
"""A search that takes longer is given up: chat comes first."""

Order = Literal["newest", "relevance"]

_END_OF_TIME = 1 << 62
_FEW_ROOMS = 20
"""Looked for as words of the index; each more costs every hit a step."""
_PATIENCE_SECONDS = 0.1
"""With a search in many rooms that asks each hit for its room, until the rooms are looked for as words after all."""
_RANKED = 500
"""Of the newest hits, by relevance. Each costs about twenty microseconds, most of it for finding the words in it."""
_HAS_FACET: dict[Thing, str] = {"boost": BOOST, "file": FILE, "image": IMAGE, "link": LINK, "thread": THREAD}
_IN_ROOMS = " AND messages.room_id IN (SELECT value FROM json_each(:rooms))"
_WIDTH = len(MessageRow.__struct_fields__)
_BODY = MessageRow.__struct_fields__.index("body")
_CURSOR = re.compile(r"\d{1,18}(\.\d{1,18})*", re.ASCII)

_MARKS = {"one": "\ue000", "other": "\ue001"}
_MARK = re.compile(_MARKS["one"])

# A body that holds the mark itself is marked twice with different marks: where the two differ is a mark.
_MARKED = """
    highlight(message_search, 0, :one, :one) AS one,
    CASE WHEN INSTR(messages.body, :one) THEN highlight(message_search, 0, :other, :other) END AS other
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
    if not search.terms:
        order = "newest"  # without words nothing is more relevant than anything else
    place = _place(order, cursor)
    after, before = _period(search)
    if not _can_find(search):
        return Page([], None)
    parameters = {
        **_MARKS,
        **place,
        "after": after,
        "before": before,
        "typed": " ".join(term.text for term in search.terms),
        "limit": limit + 1,
    }
    rows = await _found(read_models, search, {"newest": _NEWEST, "relevance": _RELEVANCE}[order], parameters)
    hits = [Hit(MessageRow(*row[:_WIDTH]), _highlights(row[_BODY], *row[_WIDTH : _WIDTH + 2])) for row in rows[:limit]]
    return Page(hits, _cursor(order, rows[limit - 1]) if len(rows) > limit else None)


def _can_find(search: Search) -> bool:
    after, before = _period(search)
    return bool(search.room_ids) and asks_for_something(search) and after < before


async def _found(read_models: ReadModels, search: Search, statement: str, parameters: dict[str, Any]) -> list[Any]:
    """Rows of a page, in whichever way is cheaper; both find the same.

    To ask each hit for its room is, unless nearly all hits are in rooms of other people: that is found out by trying.
    """
    by_words = statement.format(conditions=""), {**parameters, "expression": _expression(search, by_rooms=True)}
    anywhere = _expression(search, by_rooms=False)
    if not anywhere or (not _asks_for_few(search) and len(search.room_ids) <= _FEW_ROOMS):
        return await _rows(read_models, *by_words)
    rooms = msgspec.json.encode(sorted(search.room_ids)).decode()
    by_rows = statement.format(conditions=_IN_ROOMS), {**parameters, "expression": anywhere, "rooms": rooms}
    if _asks_for_few(search):
        return await _rows(read_models, *by_rows)
    try:
        return await read_models.rows(*by_rows, seconds=_PATIENCE_SECONDS)
    except TimeoutError:
        return await _rows(read_models, *by_words)
    except sqlite3.DatabaseError as error:
        raise _unavailable() from error


def _expression(search: Search, *, by_rooms: bool) -> str:
    """The FTS5 query."""
    facets = [f'"{word}"' for thing, word in _HAS_FACET.items() if thing in search.has]
    if search.senders is not None:
        facets.append(_any_of(author_word(person.id) for person in search.senders))
    if search.after is not None or search.before is not None:
        facets.append(_any_of(period_words(*_period(search))))
    if by_rooms:
        facets.append(_any_of(room_word(room_id) for room_id in search.room_ids))
    parts = [f"{{body}} : ({body_expression(search.terms)})"] if search.terms else []
    # FTS5 goes on from the first of them to the next: that should be what most rarely holds.
    return " AND ".join(parts + ([f"{{facets}} : ({' AND '.join(facets)})"] if facets else []))


def _asks_for_few(search: Search) -> bool:
    """Whether there are few such messages, whoever may read them."""
    return search.senders is not None or bool(search.has)


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
        raise _unavailable() from error


def _unavailable() -> CampfireError:
    return CampfireError("SEARCH_UNAVAILABLE", "The search index cannot be read now.", retry_after=30)


def _highlights(body: str, one: str, other: str | None) -> list[tuple[int, int]]:
    """The places in `body`; none if the index holds another text than the message (it is behind)."""
    marks = [mark.start() for mark in _MARK.finditer(one) if other is None or other[mark.start()] != mark[0]]
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
