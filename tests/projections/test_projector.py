import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from projections_support.history import History, a_log_of, batch_of

import projections
from campfire.domain.events import MessagePosted
from campfire.eventlog.errors import LogDamaged
from campfire.eventlog.reader import LogReader
from projections.digest import digest_of
from projections.projection import Projection
from projections.projector import Projector, ReadModelsUnavailable
from projections.tracking import Stalled, TrackingPosition

POISON = "poison"


def allergic(projection: Projection) -> Projection:
    """The same projection, but it cannot take a message that says `POISON`."""

    def posted(connection: sqlite3.Connection, run: Any) -> None:
        projection.handlers[MessagePosted](connection, run)
        if any(recorded.event.body == POISON for recorded in run):
            raise ValueError("it is poison")

    return replace(projection, handlers={**projection.handlers, MessagePosted: posted})


def with_allergic(name: str) -> list[Projection]:
    return [allergic(each) if each.name == name else each for each in projections.ALL]


def opened(path: Path, all_projections: list[Projection] | None = None) -> Projector:
    projector = Projector(path, all_projections or projections.ALL)
    projector.open()
    return projector


def bodies(projector: Projector) -> list[str]:
    return [body for (body,) in projector.connection.execute("SELECT body FROM messages ORDER BY position")]


def indexed(projector: Projector) -> list[str]:
    return [body for (body,) in projector.connection.execute("SELECT body FROM message_search ORDER BY rowid")]


@pytest.fixture
def room(history: History) -> tuple[str, str]:
    """A room with one person in it, who can post."""
    ada = history.person("Ada")
    return history.room(ada), ada


def test_what_happens_to_a_message_within_one_batch_happens_in_order(
    projector: Projector, history: History, room: tuple[str, str], project: Callable[[], None]
) -> None:
    """Posted, edited and deleted in one commit: the messages and the search hold the end of it."""
    edited, deleted = history.post(*room, "first"), history.post(*room, "secret")
    history.edit(room[0], edited, "second")
    history.edit(room[0], deleted, "more secret")
    history.delete(room[0], deleted)
    history.post(*room, "third")
    history.edit(room[0], edited, "last")
    project()
    assert bodies(projector) == ["last", "", "third"]
    assert indexed(projector) == ["last", "third"]


def test_a_batch_counts_once(projector: Projector, history: History, room: tuple[str, str]) -> None:
    """Taking in again what was taken in before, as after a lost answer, changes nothing."""
    history.post(*room, "hello")
    projector.apply(batch_of(history.events))
    before = digest_of(projector.connection)
    projector.apply(batch_of(history.events))
    assert digest_of(projector.connection) == before
    history.post(*room, "again")
    projector.apply(batch_of(history.events))
    assert bodies(projector) == ["hello", "again"]


def test_every_projection_follows_the_log_whether_an_event_concerns_it_or_not(
    projector: Projector, history: History, project: Callable[[], None]
) -> None:
    """All tracking positions are the batch's last, with the log's chain there: each is a witness."""
    history.person("Ada")
    project()
    tip = batch_of(history.events).tip
    assert set(projector.positions().values()) == {TrackingPosition(tip.position, tip.chain)}
    assert set(projector.positions()) == {each.name for each in projections.ALL}


def test_a_reopened_projector_goes_on_where_it_was(live: Path, history: History, room: tuple[str, str]) -> None:
    """Positions outlive the process, and what was closed is read from the log."""
    history.post(*room, "before")
    first = opened(live)
    first.apply(batch_of(history.events))
    first.close()
    history.post(*room, "after")
    reader = LogReader(a_log_of(history, live.with_name("events.db")))
    again = opened(live)
    seen: list[tuple[int, int]] = []
    again.catch_up(reader, progress=lambda done, total: seen.append((done, total)))
    assert bodies(again) == ["before", "after"]
    assert seen == [(history.position, history.position)]
    assert not again.is_behind(reader.tip())
    again.close()
    reader.close()


@pytest.mark.parametrize("name", ["messages", "search"])
def test_a_poison_event_stops_one_projection_just_before_it(
    live: Path, history: History, room: tuple[str, str], name: str
) -> None:
    """The one that cannot take it keeps all that came before, in the same batch too; the others go on."""
    for body in ("one", "two", POISON, "four"):
        history.post(*room, body)
    poison = history.position - 1
    projector = opened(live, with_allergic(name))
    projector.apply(batch_of(history.events))
    history.post(*room, "five")
    projector.apply(batch_of(history.since(history.position - 1)))
    kept = {"messages": bodies(projector), "search": indexed(projector)}
    assert kept.pop(name) == ["one", "two"]
    assert list(kept.values()) == [["one", "two", POISON, "four", "five"]]
    assert projector.stalled == {name: Stalled(name, poison, "ValueError: it is poison")}
    positions = projector.positions()
    assert positions.pop(name).position == poison - 1
    assert {each.position for each in positions.values()} == {history.position}
    projector.close()


def test_a_stop_is_remembered_after_a_restart(live: Path, history: History, room: tuple[str, str]) -> None:
    """Who opens the file next learns which projection stopped, where and why, and it stays stopped."""
    history.post(*room, POISON)
    first = opened(live, with_allergic("search"))
    first.apply(batch_of(history.events))
    stalled, positions = first.stalled, first.positions()
    first.close()
    again = opened(live)
    assert again.stalled == stalled
    assert again.positions() == positions
    history.post(*room, "more")
    again.apply(batch_of(history.since(history.position - 1)))
    assert indexed(again) == []
    again.close()


def test_another_version_asks_for_a_rebuild_and_touches_nothing(
    live: Path, history: History, room: tuple[str, str]
) -> None:
    """The rows of a changed projection stay as they were until a rebuild; the others go on."""
    history.post(*room, "one")
    first = opened(live)
    first.apply(batch_of(history.events))
    first.close()
    changed = [replace(each, version=each.version + 1) if each.name == "search" else each for each in projections.ALL]
    history.post(*room, "two")
    again = opened(live, changed)
    assert again.needs_rebuild() == ["search"]
    again.apply(batch_of(history.since(history.position - 1)))
    assert bodies(again) == ["one", "two"]
    assert indexed(again) == ["one"]
    again.close()


def overwritten(path: Path) -> None:
    path.write_bytes(b"This is not a database. " * 1_000)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_a_table(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE memberships")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("damage", [overwritten, cut_short, without_a_table])
def test_a_damaged_file_is_refused_at_once(
    live: Path, history: History, room: tuple[str, str], damage: Callable[[Path], None]
) -> None:
    """It is noticed when opened, and everything in it needs a rebuild."""
    for number in range(50):
        history.post(*room, f"message {number} " * 50)
    first = opened(live)
    first.apply(batch_of(history.events))
    first.close()
    damage(live)
    again = Projector(live)
    with pytest.raises(sqlite3.DatabaseError):
        again.open()
    assert again.needs_rebuild() == [each.name for each in projections.ALL]


def test_a_page_that_proves_damaged_stops_everything(live: Path, history: History, room: tuple[str, str]) -> None:
    """Damage met while projecting is the file's fault: no event is blamed, and a rebuild is asked for."""
    first = opened(live)
    first.apply(batch_of(history.events))
    [root] = first.connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'messages_in_room'").fetchone()
    first.close()
    content = bytearray(live.read_bytes())
    content[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    live.write_bytes(content)
    projector = opened(live)
    history.post(*room, "hello")
    for _ in range(2):
        with pytest.raises(ReadModelsUnavailable):
            projector.apply(batch_of(history.since(history.position - 1)))
    assert projector.stalled == {}
    assert projector.needs_rebuild() == [each.name for each in projections.ALL]
    projector.close()


def test_a_damaged_search_index_stops_the_search_alone(
    projector: Projector, history: History, room: tuple[str, str], project: Callable[[], None]
) -> None:
    """Chat goes on without search."""
    message_id = history.post(*room, "hello there")
    project()
    projector.connection.execute("UPDATE message_search_data SET block = x'ff' WHERE id >= 10")
    history.delete(room[0], message_id)
    history.post(*room, "still here")
    project()
    assert set(projector.stalled) == {"search"}
    assert bodies(projector) == ["", "still here"]


def test_a_full_disk_takes_nothing_and_blames_no_event(
    projector: Projector, history: History, room: tuple[str, str], project: Callable[[], None]
) -> None:
    """The batch can be taken in later, whole."""
    project()
    [pages] = projector.connection.execute("PRAGMA page_count").fetchone()
    projector.connection.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(100):
        history.post(*room, f"{number} " * 1_000)
    before = digest_of(projector.connection)
    with pytest.raises(ReadModelsUnavailable, match="full"):
        project()
    assert digest_of(projector.connection) == before
    assert projector.stalled == {} and projector.needs_rebuild() == []
    projector.connection.execute("PRAGMA max_page_count = 1000000")
    project()
    assert len(bodies(projector)) == 100


def test_a_hole_in_the_log_is_not_passed_over(projector: Projector, history: History, tmp_path: Path) -> None:
    """Catching up ends at the missing event and names it."""
    for name in ("Ada", "Bob", "Cy"):
        history.person(name)
    log = a_log_of(history, tmp_path / "events.db")
    shell = sqlite3.connect(log)
    shell.execute("DROP TRIGGER events_refuse_delete")
    shell.execute("DELETE FROM events WHERE position = 3")
    shell.commit()
    shell.close()
    reader = LogReader(log)
    with pytest.raises(LogDamaged, match="position 3"):
        projector.catch_up(reader)
    reader.close()


def test_a_log_that_ends_too_early_is_not_waited_for(projector: Projector, history: History, tmp_path: Path) -> None:
    """Catching up to a position that the log does not have names the first one missing."""
    history.person("Ada")
    reader = LogReader(a_log_of(history, tmp_path / "events.db"))
    with pytest.raises(LogDamaged, match=f"position {history.position + 1}"):
        projector.catch_up(reader, upto=history.position + 5)
    reader.close()


def test_the_words_of_a_deleted_message_are_gone_from_the_tables(
    projector: Projector, live: Path, history: History, room: tuple[str, str], project: Callable[[], None]
) -> None:
    """Neither the message, its copy in the index, nor what the index can find keeps them."""
    message_id = history.post(*room, "xylophone")
    project()
    history.delete(room[0], message_id)
    project()
    projector.connection.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, message_search, row)")
    assert projector.connection.execute("SELECT * FROM words WHERE term = 'xylophone'").fetchall() == []
    projector.connection.execute("INSERT INTO message_search (message_search) VALUES ('integrity-check')")
    projector.connection.execute("INSERT INTO message_search (message_search) VALUES ('optimize')")
    projector.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    copy = shutil.copy(live, live.with_suffix(".copy"))
    assert b"xylophone" not in Path(copy).read_bytes()
