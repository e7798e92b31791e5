import asyncio
import json
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner
from faults_support.server_process import ServerProcess

from campfire.admin import main
from campfire.config import Settings
from campfire.domain.events import ImportProgressed, MessagePosted
from campfire.engine import Engine
from campfire.iso_times import iso_from_ms, ms_from_iso

if TYPE_CHECKING:
    from tests.importing.conftest import Imports, WriteHistory

KILLED_IMPORT = Path(__file__).with_name("killed_import.py")
START = ms_from_iso("2004-11-15T12:00:00")


def line(kind: str, user: str, number: int = 0, **fields: Any) -> dict[str, Any]:
    return {"at": iso_from_ms(START + number * 1_000), "room": "ubuntu", "kind": kind, "user": user, **fields}


def message(user: str, body: str, number: int = 0) -> dict[str, Any]:
    return line("message", user, number, body=body)


SMALL = [
    line("joined", "ann", 0),
    message("ann", "hello", 1),
    message("ben", "I never joined", 2),
    line("joined", "ann", 3),
    line("renamed", "ben", 4, to="benjamin"),
    message("benjamin", "it is me", 5),
    line("left", "ann", 6),
    line("left", "stranger", 7),
]


def long_history(lines: int) -> Iterator[dict[str, Any]]:
    """Some people who come, talk, take other names and go, for as long as is wanted."""
    for number in range(lines):
        user = f"user{number % 37}"
        if number % 11 == 0:
            yield line("joined", user, number)
        elif number % 13 == 0:
            yield line("left", user, number)
        elif number % 17 == 0:
            yield line("renamed", user, number, to=f"{user}_{number % 3}")
        else:
            yield message(user, f"line {number} of a long story ☕", number)


@contextmanager
def read_models(imports: "Imports") -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(imports.data / "campfire.db")
    try:
        yield connection
    finally:
        connection.close()


def test_every_line_is_counted_for_what_it_was(imports: "Imports", write: "WriteHistory") -> None:
    """Joins and leaves that say what was so already are told apart."""
    counts = imports.counts(write(SMALL))
    assert counts == {
        "lines": 8,
        "already_imported": 0,
        "messages": 3,
        "joined": 1,
        "left": 1,
        "renamed": 1,
        "unchanged": 2,
        "people": 4,
        "events": len(imports.content()),
        "malformed": [],
        "stopped": False,
    }


def test_lines_become_people_rooms_memberships_and_messages(imports: "Imports", write: "WriteHistory") -> None:
    """Whoever speaks is a member; whoever took a new name is in the room under that one."""
    imports.counts(write(SMALL))
    with read_models(imports) as connection:
        said = connection.execute("SELECT users.name, body FROM messages JOIN users ON users.id = author_id")
        assert Counter(said.fetchall()) == Counter(
            [("ann", "hello"), ("ben", "I never joined"), ("benjamin", "it is me")]
        )
        here = connection.execute(
            "SELECT users.name FROM memberships JOIN users ON users.id = user_id WHERE ended_at IS NULL"
        )
        assert here.fetchall() == [("benjamin",)]
        assert connection.execute("SELECT name, kind FROM rooms").fetchall() == [("ubuntu", "open")]


def test_imported_people_cannot_sign_in(imports: "Imports", write: "WriteHistory") -> None:
    """They have neither address nor password."""
    imports.counts(write(SMALL))
    with read_models(imports) as connection:
        people = connection.execute("SELECT DISTINCT can_sign_in, email, password_hash FROM users").fetchall()
    assert people == [(0, None, None)]


def test_original_times_are_kept(imports: "Imports", write: "WriteHistory") -> None:
    """To the millisecond and in any zone; when it was recorded is another column."""
    lines = [
        message("ann", "a") | {"at": at} for at in ("2004-11-15T12:18:00.050+00:00", "2004-11-15T14:18:00.051+02:00")
    ]
    imports.counts(write(lines))
    times = [event.at for *_, event in imports.content() if isinstance(event, MessagePosted)]
    assert [iso_from_ms(at) for at in times] == ["2004-11-15T12:18:00.050Z", "2004-11-15T12:18:00.051Z"]


def test_importing_again_changes_nothing(imports: "Imports", write: "WriteHistory") -> None:
    """Not the log, not the read models."""
    file = write(long_history(2_500))
    imports.counts(file)
    before = imports.content()
    again = imports.counts(file)
    assert (again["lines"], again["already_imported"], again["events"]) == (2_500, 2_500, 0)
    assert imports.content() == before


def test_a_file_that_has_grown_is_imported_from_where_it_was(
    imports: "Imports", other_imports: "Imports", write: "WriteHistory"
) -> None:
    """The result is that of importing the whole file at once."""
    lines = list(long_history(2_700))
    imports.counts(write(lines[:1_300]))
    grown = write(lines)
    counts = imports.counts(grown)
    assert (counts["lines"], counts["already_imported"]) == (2_700, 1_300)
    other_imports.counts(grown)
    assert _without_progress(imports) == _without_progress(other_imports)


def test_zipped_and_plain_are_the_same_history(imports: "Imports", write: "WriteHistory") -> None:
    """The content says which history it is, not the file's name."""
    assert imports.counts(write(SMALL, "old.ndjson.gz"))["messages"] == 3
    assert imports.counts(write(SMALL, "renamed.txt"))["already_imported"] == len(SMALL)


def test_lines_may_end_in_any_way(imports: "Imports", write: "WriteHistory") -> None:
    """A file from Windows, or one without a last line break, is the same history."""
    imports.counts(write(SMALL))
    file = write([])
    file.write_text("\r\n".join(json.dumps(each) for each in SMALL), newline="")
    assert imports.counts(file)["already_imported"] == len(SMALL)


def test_an_empty_file_is_no_history(imports: "Imports", write: "WriteHistory") -> None:
    """And no mistake."""
    assert imports.counts(write([]))["lines"] == 0
    assert imports.content() == []


MALFORMED: list[str | bytes] = [
    "",
    "{",
    "[]",
    "null",
    '"text"',
    b"\xff\xfe",
    "[" * 100_000,
    '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}",
    json.dumps(line("shouted", "ann")),
    json.dumps(line("message", "ann")),
    json.dumps(line("renamed", "ann")),
    json.dumps(line("renamed", "ann", to="")),
    json.dumps(message("", "nobody")),
    json.dumps(message("n" * 101, "a long name")),
    json.dumps(message("ann", "x") | {"room": ""}),
    json.dumps(message("ann", "x") | {"body": 7}),
    json.dumps(message("ann", "x") | {"at": "yesterday"}),
    json.dumps(message("ann", "x") | {"at": 1_100_000_000}),
    json.dumps(message("ann", "x") | {"at": "1969-12-31T23:59:59"}),
    json.dumps(message("ann", "x") | {"at": "9999-12-31T23:59:59-12:00"}),
    json.dumps(message("ann", "x") | {"at": "0001-01-01T00:00:00+12:00"}),
    '{"at": "2004-11-15T12:00:00", "room": "r", "kind": "message", "user": "ann", "body": "\\ud800"}',
]


def test_a_malformed_line_is_reported_with_its_number_and_skipped(imports: "Imports", write: "WriteHistory") -> None:
    """Whatever is wrong with it; the lines around it are imported, and nothing of it is."""
    lines = [each for bad in MALFORMED for each in (bad, message("ann", "good"))]
    counts = imports.counts(write(lines))
    assert [each["line"] for each in counts["malformed"]] == list(range(1, len(lines), 2))
    assert all(each["reason"] for each in counts["malformed"])
    assert (counts["messages"], counts["people"]) == (len(MALFORMED), 1)


def test_skipped_lines_are_not_tried_again(imports: "Imports", write: "WriteHistory") -> None:
    """A second run goes on behind them."""
    file = write([message("ann", "one"), "{", message("ann", "two")])
    imports.counts(file)
    again = imports.counts(file)
    assert (again["already_imported"], again["malformed"]) == (3, [])


def test_a_malformed_line_stops_the_run_if_asked(imports: "Imports", write: "WriteHistory") -> None:
    """With exit code 1 and its number; once it is mended, the same command goes on there."""
    lines: list[Any] = [message("ann", f"line {number}") for number in range(1_500)]
    broken = [*lines[:1_200], "{", *lines[1_201:]]
    stopped = imports.run(write(broken), "--on-error", "stop")
    told = json.loads(stopped.stdout)
    assert stopped.exit_code == 1
    assert (told["stopped"], told["messages"], told["malformed"][0]["line"]) == (True, 1_200, 1_201)
    mended = imports.counts(write(lines), "--on-error", "stop")
    assert (mended["already_imported"], mended["messages"]) == (1_200, 300)


def test_people_are_told_in_sentences(imports: "Imports", write: "WriteHistory") -> None:
    """Without --json: what was imported, and which lines were not."""
    file = write([message("ann", "one"), "{"])
    told = CliRunner().invoke(main, ["import", "ndjson", str(file), "--data", str(imports.data)])
    assert told.exit_code == 0 and "1 messages" in told.stdout and "line 2: " in told.stderr


def test_another_file_under_the_same_name_is_refused(imports: "Imports", write: "WriteHistory") -> None:
    """Rather than mixing two histories; it says what to do, and nothing has changed."""
    imports.counts(write(SMALL), "--source", "irc")
    before = imports.content()
    other = write([message("zoe", "another story"), *SMALL])
    refused = imports.run(other, "--source", "irc")
    assert refused.exit_code == 1 and "--source" in refused.stderr and "Traceback" not in refused.stderr
    assert imports.content() == before
    assert imports.counts(other, "--source", "another")["messages"] == 4


def test_an_import_that_was_killed_anywhere_goes_on(
    imports: "Imports", other_imports: "Imports", write: "WriteHistory"
) -> None:
    """kill -9 twice, at two places; in the end the log is that of an import in one go."""
    file = write(long_history(20_000))
    for reached in (1_500, 9_000):
        running = imports.begin(file)
        while imports.position() < reached and running.poll() is None:
            continue
        running.kill()
        running.communicate()
        assert running.returncode == -signal.SIGKILL, "it was faster than the test"
    counts = imports.counts(file)
    assert counts["lines"] == 20_000 and 1_000 <= counts["already_imported"] < 20_000
    other_imports.counts(file)
    assert imports.content() == other_imports.content()


def test_an_import_killed_between_log_and_read_models_goes_on(
    imports: "Imports", other_imports: "Imports", write: "WriteHistory"
) -> None:
    """What is on disk but not shown yet counts as imported, once."""
    file = write(long_history(4_500))
    dying = imports.begin(file, KILLED_IMPORT)
    dying.communicate()
    assert dying.returncode == -signal.SIGKILL
    assert imports.counts(file)["already_imported"] == 3_000
    other_imports.counts(file)
    assert imports.content() == other_imports.content()
    with read_models(imports) as mine, read_models(other_imports) as theirs:
        for table in ("messages", "users", "memberships"):
            select = f"SELECT * FROM {table} ORDER BY 1, 2"
            assert mine.execute(select).fetchall() == theirs.execute(select).fetchall()


def test_beside_a_running_server_the_import_goes_through_it(
    imports: "Imports", other_imports: "Imports", server: ServerProcess, write: "WriteHistory"
) -> None:
    """With the same result as without one, bad lines and second run included."""
    file = write([*long_history(2_200), "{", message("ann", "the end")])
    server.start()
    online = imports.counts(file)
    again = imports.counts(file)
    assert server.stop() == 0
    assert online == other_imports.counts(file)
    assert (again["already_imported"], again["events"]) == (2_202, 0)
    assert imports.content() == other_imports.content()


def test_an_import_through_a_server_that_dies_goes_on_with_the_next(
    imports: "Imports", other_imports: "Imports", server: ServerProcess, write: "WriteHistory"
) -> None:
    """The command says so in a sentence; run again, it changes nothing that was imported."""
    file = write(long_history(20_000))
    server.start()
    running = imports.begin(file)
    while imports.position() < 3_000 and running.poll() is None:
        continue
    server.kill()
    _, said = running.communicate()
    assert running.returncode == 1, "it was faster than the test"
    assert "SHUTTING_DOWN" in said and "Traceback" not in said
    server.start()
    counts = imports.counts(file)
    assert 0 < counts["already_imported"] < 20_000
    assert server.stop() == 0
    other_imports.counts(file)
    assert imports.content() == other_imports.content()


def test_another_file_is_refused_by_a_running_server_too(
    imports: "Imports", server: ServerProcess, write: "WriteHistory"
) -> None:
    """With the same sentence and exit code."""
    server.start()
    imports.counts(write(SMALL), "--source", "irc")
    refused = imports.run(write([message("zoe", "another story"), *SMALL]), "--source", "irc")
    assert refused.exit_code == 1 and "--source" in refused.stderr and "VALIDATION_FAILED" in refused.stderr


def test_a_data_directory_in_use_by_another_import_is_left_alone(imports: "Imports", write: "WriteHistory") -> None:
    """Two at once do not mix; the second says who has it."""

    async def while_it_is_open() -> Any:
        engine = await Engine.open(Settings(data=imports.data))
        try:
            return await asyncio.to_thread(imports.run, write(SMALL))
        finally:
            await engine.close()

    refused = asyncio.run(while_it_is_open())
    assert refused.exit_code == 4 and "pid" in refused.stderr


def _without_progress(imports: "Imports") -> list[Any]:
    return [each[1:] for each in imports.content() if not isinstance(each[3], ImportProgressed)]
