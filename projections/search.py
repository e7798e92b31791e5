"""The full-text index over message bodies; a row's id is the position of the posting.

It keeps its own copy of the text: an index over `messages` itself would have to be told every old
text word for word to forget it, and a mistake there would leave deleted words findable.

What a deleted word leaves behind: no search finds it from then on, and the copy of the text is
overwritten (`PRAGMA secure_delete`). The index proper is overwritten at once from SQLite 3.42 on
(`secure-delete`); an older one only notes that the row is gone, and the words stay in the bytes of
the file until the index merges that segment or the read models are rebuilt.
"""

import re
import sqlite3
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from campfire.domain.events import (
    BoostAdded,
    BoostRemoved,
    MessageDeleted,
    MessageEdited,
    MessagePosted,
    RecordedEvent,
)
from campfire.eventlog.bulk_insert import bulk_insert
from projections.projection import Projection, each

# `facets` are words like any other, so that a common word in somebody else's large room, or of another year,
# costs a search nothing. `columnsize=0`: only bm25 needs sizes, and nothing uses it (see `queries/search.py`).
# The two merge settings (4 and 16 by default) make small batches wait for a merge of segments more rarely:
# the slowest hundredth of single messages took 4 ms, and takes 0.5; a search looks at more segments instead.
SCHEMA = """
CREATE VIRTUAL TABLE message_search USING fts5 (
    body, facets, tokenize = "unicode61 remove_diacritics 2", columnsize = 0
);
INSERT INTO message_search (message_search, rank) VALUES ('automerge', 8);
INSERT INTO message_search (message_search, rank) VALUES ('crisismerge', 64);
"""
if sqlite3.sqlite_version_info >= (3, 42):
    SCHEMA += "INSERT INTO message_search (message_search, rank) VALUES ('secure-delete', 1);\n"
# A rebuild ends with one segment, rather than leave the merging of many to the next messages.
INDEXES = "INSERT INTO message_search (message_search) VALUES ('optimize');"

_MERGED_PAGES = 200
"""Of about 4 KiB: some ten milliseconds during which nobody's message is written."""

FIRST_YEAR, LAST_YEAR = 1990, 2049
"""Messages of earlier and later times are found with these years: an open range has to name every year of it."""

_DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1)
_FIRST_DAY = (date(FIRST_YEAR, 1, 1) - _EPOCH).days
_LAST_DAY = (date(LAST_YEAR, 12, 31) - _EPOCH).days
_LINK = re.compile(r"https?://[^\s/]", re.IGNORECASE)

# The first letter of a facet says its kind: r room, a author, y year, m month, h has.
LINK, FILE, IMAGE, BOOST, THREAD = "haslink", "hasfile", "hasimage", "hasboost", "hasthread"


def facets(
    room_id: str,
    author_id: str,
    at: int,
    body: str,
    kinds: Collection[str] = (),
    *,
    boosted: bool = False,
    answered: bool = False,
) -> str:
    """What a message can be found by besides its words; `kinds` are those of its files."""
    words = [room_word(room_id), author_word(author_id), _year_and_month(_day(at))]
    words += [LINK] if _LINK.search(body) else []
    words += [FILE] if kinds else []
    words += [IMAGE] if "image" in kinds else []
    words += [BOOST] if boosted else []
    words += [THREAD] if answered else []
    return " ".join(words)


def forget_words(connection: sqlite3.Connection, *, begin: bool) -> bool:
    """Take words that only deleted messages held out of the index's file, a slice at a time.

    True once nothing is left to do; until then call it again, with `begin` the first time only. An index
    with `secure-delete` has overwritten them already.
    """
    if sqlite3.sqlite_version_info >= (3, 42):
        return True
    # A negative number begins to merge all segments into one, positive ones go on; it has ended when a
    # merge changes next to nothing (SQLite's documentation of FTS5, "The 'merge' command").
    before = connection.total_changes
    pages = -_MERGED_PAGES if begin else _MERGED_PAGES
    connection.execute("INSERT INTO message_search (message_search, rank) VALUES ('merge', ?)", (pages,))
    return not begin and connection.total_changes - before < 2


def room_word(room_id: str) -> str:
    """A room's id as one word of the index, which would break it at the hyphens."""
    return f"r{room_id.replace('-', '')}"


def author_word(user_id: str) -> str:
    """An author's id as one word of the index."""
    return f"a{user_id.replace('-', '')}"


def period_words(start: int, end: int) -> list[str]:
    """Words of which each message from `start` to before `end` (milliseconds) has at least one.

    Whole years, and the months beside them, so at most 60 and 22; a little more than the period is found by them.
    """
    first, last = (_EPOCH + timedelta(days=_day(at)) for at in (start, end - 1))
    month, end_month = first.year * 12 + first.month - 1, last.year * 12 + last.month
    words = []
    while month < end_month:
        is_whole_year = month % 12 == 0 and month + 12 <= end_month
        words.append(f"y{month // 12}" if is_whole_year else f"m{month // 12}{month % 12 + 1:02d}")
        month += 12 if is_whole_year else 1
    return words


def _day(at: int) -> int:
    return min(max(at // _DAY_MS, _FIRST_DAY), _LAST_DAY)


@lru_cache(maxsize=1024)
def _year_and_month(day: int) -> str:
    return f"{_EPOCH + timedelta(days=day):y%Y m%Y%m}"


def _posted(connection: sqlite3.Connection, run: Sequence[Any]) -> None:
    bulk_insert(
        connection,
        "INSERT INTO message_search (rowid, body, facets)",
        [
            (
                recorded.position,
                recorded.event.body,
                facets(
                    recorded.event.room_id,
                    recorded.event.author_id,
                    recorded.event.at,
                    recorded.event.body,
                    [file.kind for file in recorded.event.attachments],
                ),
            )
            for recorded in run
        ],
    )
    for thread_id in dict.fromkeys(recorded.event.thread_id for recorded in run):
        if thread_id is not None:
            _set_facets(connection, thread_id)


def _edited(connection: sqlite3.Connection, event: MessageEdited, _: RecordedEvent) -> None:
    position = _place(connection, event.message_id)[0]
    connection.execute("UPDATE message_search SET body = ? WHERE rowid = ?", (event.body, position))
    _set_facets(connection, event.message_id)


def _boosted(connection: sqlite3.Connection, event: BoostAdded | BoostRemoved, _: RecordedEvent) -> None:
    _set_facets(connection, event.message_id)


def _set_facets(connection: sqlite3.Connection, message_id: str) -> None:
    """Let a message be found by what it has now; a deleted one is not in the index any more."""
    position, room_id, author_id, at = _place(connection, message_id)
    indexed = connection.execute("SELECT body, facets FROM message_search WHERE rowid = ?", (position,)).fetchone()
    if indexed is None:
        return
    boosted, answered = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM boosts WHERE message_id = ?), EXISTS"
        " (SELECT 1 FROM messages INDEXED BY messages_in_thread WHERE thread_id = ? AND deleted_at IS NULL)",
        (message_id, message_id),
    ).fetchone()
    kinds = _kinds(connection, message_id)
    now = facets(room_id, author_id, at, indexed[0], kinds, boosted=bool(boosted), answered=bool(answered))
    if now != indexed[1]:  # writing it would make the index write the body's words again
        connection.execute("UPDATE message_search SET facets = ? WHERE rowid = ?", (now, position))


def _kinds(connection: sqlite3.Connection, message_id: str) -> list[str]:
    rows = connection.execute("SELECT kind FROM attachments WHERE message_id = ?", (message_id,))
    return [kind for (kind,) in rows]


def _deleted(connection: sqlite3.Connection, event: MessageDeleted, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM message_search WHERE rowid = ?", _place(connection, event.message_id)[:1])
    row = connection.execute("SELECT thread_id FROM messages WHERE id = ?", (event.message_id,)).fetchone()
    if row[0] is not None:
        _set_facets(connection, row[0])


def _place(connection: sqlite3.Connection, message_id: str) -> tuple[int, str, str, int]:
    """Position, room, author and time of a message."""
    row: tuple[int, str, str, int] | None = connection.execute(
        "SELECT position, room_id, author_id, created_at FROM messages WHERE id = ?", (message_id,)
    ).fetchone()
    if row is None:
        raise LookupError(f"message {message_id} is not among the messages")
    return row


PROJECTION = Projection(
    "search",
    4,
    ("message_search",),
    SCHEMA,
    {
        MessagePosted: _posted,
        MessageEdited: each(_edited),
        MessageDeleted: each(_deleted),
        BoostAdded: each(_boosted),
        BoostRemoved: each(_boosted),
    },
    INDEXES,
)
