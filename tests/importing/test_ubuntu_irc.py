"""The real history: 246,726 lines of a public channel, with everything that real chat has."""

import asyncio
import gzip
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from campfire.domain import ids
from campfire.domain.events import MessagePosted
from campfire.eventlog.reader import LogReader
from campfire.iso_times import ms_from_iso
from projections.cli import main as replay
from projections.queries.search import search
from projections.queries.search_scope import Search
from projections.queries.search_text import parse
from projections.read_models import ReadModels

if TYPE_CHECKING:
    from tests.importing.conftest import Imports

FILE = Path(__file__).parents[3] / "shared" / "data" / "ubuntu-irc.ndjson.gz"
SOURCE = "ubuntu-irc"
PHRASE = '"how many partitions should i make"'

pytestmark = pytest.mark.skipif(not FILE.exists(), reason=f"{FILE.name} is not in ../shared/data")


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """The file, read with nothing of ours."""
    with gzip.open(FILE, "rt", encoding="utf-8") as opened:
        return [json.loads(line) for line in opened]


@pytest.fixture(scope="module")
def imported(import_into: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator["tuple[Imports, dict[str, Any]]"]:
    """A data directory that holds the history, and what the import said."""
    imports = import_into(tmp_path_factory.mktemp("ubuntu") / "data")
    yield imports, imports.counts(FILE, "--source", SOURCE)


@pytest.fixture
def read_models(imported: "tuple[Imports, dict[str, Any]]") -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(imported[0].data / "campfire.db")
    yield connection
    connection.close()


def test_every_line_is_accounted_for(imported: "tuple[Imports, dict[str, Any]]", lines: list[dict[str, Any]]) -> None:
    """222,106 messages; every join, leave and rename is one or changed nothing; nothing is malformed."""
    counts, kinds = imported[1], Counter(line["kind"] for line in lines)
    assert counts["messages"] == kinds["message"] == 222_106
    assert counts["renamed"] == kinds["renamed"]
    assert counts["joined"] + counts["left"] + counts["unchanged"] == kinds["joined"] + kinds["left"]
    assert (counts["lines"], counts["malformed"]) == (len(lines), [])


def test_every_nickname_is_a_person(read_models: sqlite3.Connection, lines: list[dict[str, Any]]) -> None:
    """All 26,953 that act in the file and those that somebody only changed to, each once, none able to sign in."""
    acting = {line["user"] for line in lines}
    assert len(acting) == 26_953
    people = dict(read_models.execute("SELECT name, id FROM users").fetchall())
    assert set(people) == acting | {line["to"] for line in lines if "to" in line}
    assert all(people[name] == ids.imported_user_id(SOURCE, name) for name in acting)
    [(persons, able)] = read_models.execute("SELECT COUNT(*), SUM(can_sign_in) FROM users").fetchall()
    assert (persons, able) == (len(people), 0)


def test_every_message_is_there_with_its_text_author_and_time(
    imported: "tuple[Imports, dict[str, Any]]", lines: list[dict[str, Any]]
) -> None:
    """In the order of the file, to the millisecond and to the last control character."""
    reader = LogReader(imported[0].data / "events.db")
    try:
        events = [recorded.event for recorded in reader.read(0, 10_000_000)]
    finally:
        reader.close()
    posted = [(each.author_name, each.body, each.at) for each in events if isinstance(each, MessagePosted)]
    said = [line for line in lines if line["kind"] == "message"]
    assert posted == [(line["user"], line["body"], ms_from_iso(line["at"])) for line in said]


def test_a_phrase_from_2004_is_found(imported: "tuple[Imports, dict[str, Any]]") -> None:
    """Among 222,106 messages; by its words as a phrase."""

    async def found() -> list[tuple[str, int]]:
        read_models = ReadModels(imported[0].data / "campfire.db")
        await read_models.open()
        try:
            room_ids = frozenset({ids.imported_room_id(SOURCE, "ubuntu")})
            hits, _ = await search(read_models, Search(parse(PHRASE).terms, room_ids), 50)
        finally:
            await read_models.close()
        return [(hit.message.body, hit.message.created_at) for hit in hits]

    assert asyncio.run(found())[-1] == (
        "HrdwrBoB: ok how many partitions should i make?",
        ms_from_iso("2004-11-15T12:18:00.150"),
    )


def test_the_read_models_are_what_the_log_says(imported: "tuple[Imports, dict[str, Any]]") -> None:
    """`campfire-replay verify` proves the chain, rebuilds everything aside and finds equal digests."""
    result = CliRunner().invoke(replay, ["verify", "--json", "--data", str(imported[0].data)])
    verdict = json.loads(result.stdout)
    assert result.exit_code == 0 and verdict["equal"], verdict
    assert verdict["position"] == imported[1]["events"]
    assert verdict["tables"]["messages"]["live"] == verdict["tables"]["messages"]["rebuilt"]


def test_a_second_import_adds_nothing(imported: "tuple[Imports, dict[str, Any]]") -> None:
    """All lines are known; the log does not grow."""
    imports, first = imported
    again = imports.counts(FILE, "--source", SOURCE)
    assert (again["already_imported"], again["events"]) == (first["lines"], 0)
    assert imports.position() == first["events"]
