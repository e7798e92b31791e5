"""The full-text index over message bodies; a row's id is the position of the posting.

It keeps its own copy of the text: an index over `messages` itself would have to be told every old
text word for word to forget it, and a mistake there would leave deleted words findable.

What a deleted word leaves behind: no search finds it from then on, and the copy of the text is
overwritten (`PRAGMA secure_delete`). The index proper is overwritten at once from SQLite 3.42 on
(`secure-delete`); an older one only notes that the row is gone, and the words stay in the bytes of
the file until the index merges that segment or the read models are rebuilt.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

from campfire.domain.events import MessageDeleted, MessageEdited, MessagePosted, RecordedEvent
from campfire.eventlog.bulk_insert import bulk_insert
from projections.projection import Projection, each

# `room` is indexed as a word like any other, so that a common word in somebody else's large room
# costs a search in a small one nothing. `columnsize=0`: only ranking needs sizes, and nothing ranks.
# The two merge settings (4 and 16 by default) make small batches wait for a merge of segments more rarely:
# the slowest hundredth of single messages took 4 ms, and takes 0.5; a search looks at more segments instead.
SCHEMA = """
CREATE VIRTUAL TABLE message_search USING fts5 (
    body, room, tokenize = "unicode61 remove_diacritics 2", columnsize = 0
);
INSERT INTO message_search (message_search, rank) VALUES ('automerge', 8);
INSERT INTO message_search (message_search, rank) VALUES ('crisismerge', 64);
"""
if sqlite3.sqlite_version_info >= (3, 42):
    SCHEMA += "INSERT INTO message_search (message_search, rank) VALUES ('secure-delete', 1);\n"
# A rebuild ends with one segment, rather than leave the merging of many to the next messages.
_MERGED_PAGES = 200
"""Of about 4 KiB: some ten milliseconds during which nobody's message is written."""

INDEXES = "INSERT INTO message_search (message_search) VALUES ('optimize');"


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
    return room_id.replace("-", "")


def _posted(connection: sqlite3.Connection, run: Sequence[Any]) -> None:
    bulk_insert(
        connection,
        "INSERT INTO message_search (rowid, body, room)",
        [(recorded.position, recorded.event.body, room_word(recorded.event.room_id)) for recorded in run],
    )


def _edited(connection: sqlite3.Connection, event: MessageEdited, _: RecordedEvent) -> None:
    connection.execute(
        "UPDATE message_search SET body = ? WHERE rowid = ?", (event.body, _position(connection, event.message_id))
    )


def _deleted(connection: sqlite3.Connection, event: MessageDeleted, _: RecordedEvent) -> None:
    connection.execute("DELETE FROM message_search WHERE rowid = ?", (_position(connection, event.message_id),))


def _position(connection: sqlite3.Connection, message_id: str) -> int:
    row = connection.execute("SELECT position FROM messages WHERE id = ?", (message_id,)).fetchone()
    if row is None:
        raise LookupError(f"message {message_id} is not among the messages")
    return int(row[0])


PROJECTION = Projection(
    "search",
    1,
    ("message_search",),
    SCHEMA,
    {MessagePosted: _posted, MessageEdited: each(_edited), MessageDeleted: each(_deleted)},
    INDEXES,
)
