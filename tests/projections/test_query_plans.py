"""No statement over `campfire.db` gets slower because there are more messages: every plan is explained."""

import asyncio
import importlib
import inspect
import pkgutil
import re
import sqlite3
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from projections_support.anything import everything
from projections_support.history import History, batch_of
from query_plans_support.impatient import Impatient
from query_plans_support.plans import Excused, all_objections, objections, plain
from query_plans_support.recording import ROOT, Recording, asking_calls

import projections
import projections.queries
from campfire.domain.directory import Directory
from campfire.domain.events import MessagePosted
from projections.directory_loader import load_directory
from projections.projector import Projector
from projections.queries import (
    attachments,
    details,
    link_previews,
    messages,
    presences,
    push,
    removed,
    search,
    searches,
    unread,
)
from projections.queries.messages import MessageRow
from projections.queries.search_scope import understood
from projections.queries.search_text import parse
from projections.read_models import ReadModels
from projections.search import forget_words

ORDERS: tuple[search.Order, ...] = ("newest", "relevance")
EXCUSED = (
    Excused("FROM account", "one row"),
    Excused("UPDATE account SET", "one row"),
    Excused("FROM tracking", "a row for each projection"),
    Excused("LIMIT 1", "a look at one row of each table, to see whether the file can be read"),
    Excused("password_hash, bio, status, messages_removed", "a start knows everybody"),
    Excused("SELECT email, user_id, version FROM email_claims", "a start knows every address"),
    Excused("SELECT address, user_id FROM banned_addresses", "a start knows every ban"),
    Excused("purpose, token_hash, expires_at FROM sign_in_links", "a start knows every link"),
    Excused("FROM sessions INDEXED BY sessions_live", "a start knows every session that lives, by their own index"),
    Excused("SELECT room_id, user_id, ended_at, involvement, version FROM memberships", "a start knows every member"),
    Excused("archived_at, deleted_at, emptied, position, version FROM rooms", "a start knows every room"),
    Excused("SELECT room_id, user_id, position FROM read_positions", "a start knows how far everybody has read"),
    Excused("SELECT room_id, user_id FROM presences", "a start knows who is there"),
    Excused("previous_valid_until, version FROM webhooks", "a start knows every webhook"),
    Excused("commands FROM bots", "a start knows every bot"),
    Excused("FROM push_key", "one row"),
    Excused("subscribed_at, position FROM push_subscriptions", "a start knows every device"),
    Excused("FROM imports", "a row for each import"),
    Excused("SELECT text FROM searches", "ten rows of one person are sorted"),
    Excused("DELETE FROM searches WHERE user_id = ? AND position NOT IN", "eleven rows of one person are sorted"),
    Excused("SELECT user_id, since FROM presences", "who has one room open now, sorted by when they came"),
    Excused("FROM sqlite_schema", "tables, not rows"),
    Excused("WITH hits AS MATERIALIZED", "at most 500 hits are sorted by relevance"),
)
QUERIES = [
    importlib.import_module(f"projections.queries.{module.name}")
    for module in pkgutil.iter_modules(projections.queries.__path__)
]
WATCHED = [
    *(ROOT / "projections" / "queries").glob("*.py"),
    *(ROOT / "projections" / f"{each.name}.py" for each in projections.ALL),
    ROOT / "projections" / "directory_loader.py",
]


def rows_are_asked_for_elsewhere() -> list[Path]:
    """Other files of the server in which read models are queried."""
    return [
        file
        for file in (ROOT / "campfire").rglob("*.py")
        if "eventlog" not in file.parts and "read_models.rows(" in file.read_text()
    ]


class Story:
    """Everything that happened, and the means to ask for it."""

    def __init__(self, history: History, directory: Directory, read_models: ReadModels) -> None:
        self.history = history
        self.directory = directory
        self.read_models = read_models

    async def a_message(self) -> MessageRow:
        ids = [each.event.message_id for each in self.history.events if isinstance(each.event, MessagePosted)]
        return await self.one(ids[-1])

    async def one(self, message_id: str) -> MessageRow:
        row = await messages.by_id(self.read_models, message_id)
        assert row is not None
        return row


async def ask_everything(story: Story) -> None:
    """Call every query, each way it can be asked."""
    models, message = story.read_models, await story.a_message()
    user, room, ids = message.author_id, message.room_id, [message.id, "no such id"]
    await messages.state(models, message.id)
    await messages.at_position(models, message.position)
    await messages.count(models, room)
    await messages.latest(models, room, 5)
    await messages.since(models, room, 0, 5)
    await messages.around(models, message, 5)
    await messages.in_thread(models, message.id, 5, before=None, after=None)
    await messages.in_thread(models, message.id, 5, before=None, after=message)
    await messages.pinned(models, room, 5)
    await messages.saved(models, user, 5, before=message.id)
    await messages.changed_among(models, ids)
    await details.details_of(models, ids, user)
    await details.thread_read_upto(models, message.id, user)
    await details.boost_by_id(models, "no such boost")
    await details.boost_at(models, 1)
    await attachments.uploads(models, ids)
    await attachments.of_messages(models, ids)
    await attachments.ids_of_messages(models, ids)
    await attachments.unused_since(models, 1 << 50, 5)
    await attachments.needed_among(models, ["0" * 64, "1" * 64])
    await removed.to_scrub(models, 1 << 50, 5)
    for pages in (removed.in_room(models, room, 5), removed.by_author(models, user, 5)):
        async for _ in pages:
            pass
    await anext(removed.older_than(models, room, 1 << 50, 5), None)
    await unread.counts(models, user)
    await presences.in_room(models, room)
    await searches.remembered(models, user)
    await link_previews.by_id(models, "no such preview")
    await push.members_then_and_now(models, room, message.position)
    await push.mentions_in(models, message.id)
    await push.unread_rooms(models, [user])
    texts = ("word", "wor* word", '"word"', "from:me word", "in:again", "before:2030 word", "after:2001")
    things = [f"has:{thing}{more}" for thing in search._HAS_FACET for more in ("", " word", " from:me")]
    rooms = list(story.directory.rooms)
    for text, order in product((*texts, *things), ORDERS):
        asked = understood(parse(text), story.directory, user, rooms)
        await search.search(models, asked, 5, order=order)
        many = msgspec.structs.replace(asked, room_ids=asked.room_ids | {f"other {number}" for number in range(30)})
        await search.search(models, many, 5, order=order)
        await search.search(Impatient(models), many, 5, order=order)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """What was asked of `campfire.db` while everything happened and everything was asked."""
    recording, path = Recording(), tmp_path_factory.mktemp("everything") / "campfire.db"
    with pytest.MonkeyPatch.context() as monkeypatch:
        recording.begin(monkeypatch, ReadModels)
        asyncio.run(live_through_everything(path))
    return recording


async def live_through_everything(path: Path) -> None:
    history = everything()
    projector = Projector(path)
    projector.open()
    projector.apply(batch_of(history.events))
    assert projector.stalled == {}
    forget_words(projector.connection, begin=True)
    read_models = ReadModels(path)
    await read_models.open()
    try:
        await ask_everything(Story(history, load_directory(projector.connection), read_models))
    finally:
        await read_models.close()
        projector.close()


@pytest.fixture
def schema(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """The real tables, empty and without statistics."""
    projector = Projector(tmp_path / "schema" / "campfire.db")
    (tmp_path / "schema").mkdir()
    projector.open()
    assert projector.connection.execute("SELECT 1 FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'").fetchone() is None
    yield projector.connection
    projector.close()


def test_every_statement_has_an_index(recording: Recording, schema: sqlite3.Connection) -> None:
    """Of reading and of keeping the read models: none walks through a table that grows, but those that say why."""
    statements = recording.statements["campfire.db"]
    assert len(statements) > 100
    found, needless = all_objections(schema, statements, EXCUSED)
    assert found == [], "\n".join(found)
    assert needless == []


def test_every_statement_is_explained(recording: Recording) -> None:
    """A query that somebody adds has to be asked here too, or this fails: each call, each handler, each text."""
    assert recording.never_asked([*WATCHED, *rows_are_asked_for_elsewhere()]) == []
    happened = {type(each.event) for each in everything().events}
    wanted = {event for projection in projections.ALL for event in projection.handlers}
    assert wanted - happened == set()
    asked = [plain(statement) for statement in recording.statements["campfire.db"]]
    assert [text for text in texts_of(*QUERIES) if not any(pattern_of(text).search(each) for each in asked)] == []


def test_every_query_is_known_by_name(recording: Recording) -> None:
    """All functions that take read models ask something."""
    for module in QUERIES:
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and "read_models" in inspect.signature(function).parameters:
                source, start = inspect.getsourcelines(function)
                own = {(Path(str(module.__file__)), line) for line in range(start, start + len(source))}
                assert own & recording.sites, f"{module.__name__}.{name} was not called"


def texts_of(*modules: ModuleType) -> list[str]:
    """Statements that modules keep as constants."""
    values = [value for module in modules for value in vars(module).values() if isinstance(value, str)]
    return [value for value in values if re.match(r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b", value)]


def pattern_of(text: str) -> re.Pattern[str]:
    """What a statement looks like once the places in braces are filled in."""
    return re.compile(re.sub(r"\\\{\w+\\\}", ".*", re.escape(plain(text))))


@pytest.mark.parametrize(
    "bad",
    [
        "SELECT id FROM messages WHERE author_id = ?",
        "SELECT id FROM messages WHERE room_id = ? ORDER BY body LIMIT 50",
        "SELECT id FROM messages ORDER BY created_at LIMIT 50",
        "SELECT m.id FROM rooms AS r JOIN messages AS m ON m.author_id = r.created_by WHERE r.id = ?",
        "SELECT rowid FROM message_search WHERE body LIKE '%' || ?",
        "SELECT COUNT(*) FROM messages INDEXED BY messages_in_room WHERE created_at < ?",
        "UPDATE messages SET body = '' WHERE author_id = ?",
        "DELETE FROM boosts WHERE by = ?",
        "WITH mine AS (SELECT id FROM messages WHERE author_id = ?) SELECT COUNT(*) FROM mine",
    ],
)
def test_a_statement_without_an_index_is_objected_to(schema: sqlite3.Connection, bad: str) -> None:
    """So that the tests above mean something."""
    assert objections(schema, bad, ("x",) * bad.count("?")) != []


@pytest.mark.parametrize(
    "good",
    [
        "SELECT id FROM messages WHERE id = ?",
        "SELECT id FROM messages WHERE room_id = ? ORDER BY created_at DESC, position DESC LIMIT 50",
        "SELECT rowid FROM message_search WHERE message_search MATCH ? ORDER BY rowid DESC LIMIT 50",
        "SELECT body FROM message_search WHERE rowid = ?",
        "DELETE FROM boosts WHERE message_id = ?",
    ],
)
def test_a_statement_with_an_index_is_not(schema: sqlite3.Connection, good: str) -> None:
    """Or else nobody would believe an objection."""
    assert objections(schema, good, ("x",)) == []


async def test_a_bad_query_is_heard_and_reported(schema: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way it is asked: by a read-only connection, or while an event is projected."""
    path = Path(schema.execute("PRAGMA database_list").fetchone()[2])
    recording = Recording()
    with monkeypatch.context() as patched:
        recording.begin(patched, ReadModels)
        connection = sqlite3.connect(path)
        connection.execute("UPDATE messages SET pinned_by = ? WHERE author_id = ?", ("x", "y"))
        connection.close()
        other = ReadModels(path)
        await other.open()
        await other.rows("SELECT id FROM messages WHERE client_message_id = ?", ("x",))
        await other.close()
    found, _ = all_objections(schema, recording.statements["campfire.db"], EXCUSED)
    assert sorted(each.partition("\n")[0] for each in found) == [
        "SELECT id FROM messages WHERE client_message_id = ?",
        "UPDATE messages SET pinned_by = ? WHERE author_id = ?",
    ]


def test_a_call_that_nobody_makes_is_noticed(tmp_path: Path) -> None:
    """Wherever the statement stands: it is the call that counts."""
    file = tmp_path / "queries.py"
    file.write_text("async def lost(read_models):\n    return await read_models.rows(\n        'SELECT 1'\n    )\n")
    assert asking_calls(file.read_text()) == [(2, 4)]
    assert Recording().never_asked([file]) == ["queries.py:2"]
