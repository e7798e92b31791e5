"""`campfire-replay` as somebody who keeps a server uses it."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from faults_support.server_process import ServerProcess
from projections_support.history import History, a_log_of, batch_of

import projections
from campfire.domain import events as happened
from projections.cli import main
from projections.projector import Projector

Replay = Callable[..., Result]


@pytest.fixture
def data(history: History, tmp_path: Path) -> Path:
    """A data directory with a log of 500 messages, one a second, and the read models of it."""
    ada = history.person("Ada")
    room = history.room(ada)
    for number in range(500):
        history.post(room, ada, f"message number {number:04}")
    return kept(history, tmp_path / "data")


def kept(history: History, data: Path) -> Path:
    data.mkdir()
    a_log_of(history, data / "events.db")
    projector = Projector(data / "campfire.db")
    projector.open()
    projector.apply(batch_of(history.events))
    projector.close()
    return data


@pytest.fixture
def replay(data: Path) -> Replay:
    """Run the command on the data directory."""

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(main, [*map(str, arguments), "--data", str(data)])

    return run


def told(result: Result, exit_code: int = 0) -> Any:
    """What it printed for programs."""
    assert result.exit_code == exit_code, result.output
    return json.loads(result.stdout)


def tail_of(result: Result) -> list[Any]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def change(path: Path, statement: str) -> None:
    shell = sqlite3.connect(path)
    shell.execute(statement)
    shell.commit()
    shell.close()


def flip_a_byte(path: Path, text: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(text)] ^= 1
    path.write_bytes(content)


def test_status_tells_how_far_everything_is(replay: Replay, history: History) -> None:
    """For people and for programs, and by the exit code."""
    status = told(replay("status", "--json"))
    assert status["well"] and status["log"]["position"] == history.position
    assert {model["projection"] for model in status["read_models"]} == {each.name for each in projections.ALL}
    assert {model["lag"] for model in status["read_models"]} == {0}
    text = replay("status").stdout
    assert f"position {history.position:,}" in text and all(each.name in text for each in projections.ALL)


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("UPDATE tracking SET stalled_at = 7, stalled_error = 'oh' WHERE projection = 'rooms'", "stopped at 7: oh"),
        ("UPDATE tracking SET version = 0 WHERE projection = 'rooms'", "needs version"),
        ("DELETE FROM tracking WHERE projection = 'rooms'", "missing"),
    ],
)
def test_status_names_what_is_not_well(replay: Replay, data: Path, statement: str, state: str) -> None:
    """And says what to do about it."""
    change(data / "campfire.db", statement)
    status = told(replay("status", "--json"), exit_code=1)
    [rooms] = [model for model in status["read_models"] if model["projection"] == "rooms"]
    assert rooms["state"].startswith(state) and not status["well"]
    text = replay("status")
    assert text.exit_code == 1 and "campfire-replay rebuild" in text.stdout


def test_verify_finds_equal_what_is_equal(replay: Replay, history: History) -> None:
    """Both the chain and every table."""
    outcome = told(replay("verify", "--json"))
    assert outcome["equal"] and outcome["compared_at"] == outcome["position"] == history.position
    assert {each["live"] == each["rebuilt"] for each in outcome["tables"].values()} == {True}
    assert f"1 to {history.position}" in replay("verify").stdout


def test_verify_names_a_byte_flipped_long_ago(replay: Replay, data: Path, history: History) -> None:
    """Where the start no longer looks; the position is named, and the exit code says damage."""
    [position] = [each.position for each in history.events if getattr(each.event, "body", "").endswith("0017")]
    flip_a_byte(data / "events.db", b"message number 0017")
    for arguments in (["verify"], ["verify", "--chain-only"], ["verify", "--json"]):
        result = replay(*arguments)
        assert result.exit_code == 3
        assert "LOG_DAMAGED" in result.stderr and f"Position {position}:" in result.stderr


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE messages SET body = 'never said' WHERE position = 40", "messages"),
        ("DELETE FROM memberships", "memberships"),
        ("DELETE FROM message_search WHERE rowid = 40", "message_search"),
        ("UPDATE users SET role = 'administrator'", "users"),
    ],
)
def test_verify_names_a_table_that_says_something_else(replay: Replay, data: Path, statement: str, table: str) -> None:
    """A row that somebody changed by hand, or a defect of ours; a rebuild mends it."""
    change(data / "campfire.db", statement)
    assert told(replay("verify", "--json"), exit_code=1)["different"] == [table]
    said = replay("verify")
    assert said.exit_code == 1 and table in said.stdout and "campfire-replay rebuild" in said.stdout
    assert told(replay("verify", "--json", "--chain-only"))["equal"]
    told(replay("rebuild", "--json"))
    assert told(replay("verify", "--json"))["equal"]


def test_a_rebuild_ends_with_the_digests_that_verify_shows(replay: Replay) -> None:
    """The same names, the same values."""
    digests = told(replay("rebuild", "--json"))["digests"]
    verified = told(replay("verify", "--json"))["tables"]
    assert digests == {table: each["live"] for table, each in verified.items()}
    assert f"Rebuilt the read models: {len(digests)} tables." in replay("rebuild").stdout


@pytest.mark.parametrize("end", ["103", "1970-01-01T00:01:43Z"])
def test_the_past_can_be_looked_at_in_a_file_of_its_own(replay: Replay, tmp_path: Path, end: str) -> None:
    """Up to a position or a time; the live read models stay as they are."""
    past = tmp_path / "past.db"
    told(replay("rebuild", "--json", "--into", past, "--to", end))
    shell = sqlite3.connect(past)
    assert shell.execute("SELECT MAX(position) FROM messages").fetchall() == [(103,)]
    shell.close()
    assert told(replay("verify", "--json"))["equal"]
    assert not list(tmp_path.glob("past.db-*"))
    told(replay("rebuild", "--json", "--into", past, "--to", "50"))
    shell = sqlite3.connect(past)
    assert shell.execute("SELECT MAX(position) FROM messages").fetchall() == [(50,)]
    shell.close()


def test_a_rebuild_overwrites_nothing_that_is_not_its_own(replay: Replay, data: Path, tmp_path: Path) -> None:
    """A slip of the hand must not cost the log, or anybody's file."""
    mine = tmp_path / "mine.txt"
    mine.write_text("precious")
    for path in (mine, data / "events.db", data / "campfire.db", data / "outbox.db"):
        before = path.read_bytes() if path.exists() else None
        result = replay("rebuild", "--into", path)
        assert result.exit_code == 2, path
        assert (path.read_bytes() if path.exists() else None) == before


def test_tail_shows_the_end_or_a_stretch(replay: Replay, history: History) -> None:
    """By position, a time, or the last twenty."""
    last = history.position
    assert [line["position"] for line in tail_of(replay("tail", "--json"))] == list(range(last - 19, last + 1))
    stretch = tail_of(replay("tail", "--json", "--from", "100", "--to", "103"))
    assert [line["position"] for line in stretch] == [101, 102, 103]
    times = ("--from", "1970-01-01T00:01:41", "--to", "1970-01-01T00:01:43Z")
    assert tail_of(replay("tail", "--json", *times)) == stretch
    assert stretch[0]["event"] == "message.posted" and stretch[0]["recorded_at"] == "1970-01-01T00:01:41.000Z"
    text = replay("tail", "--from", "100", "--to", "103").stdout
    assert len(text.splitlines()) == 3 and "message.posted" in text


def test_tail_shows_no_secret_and_obeys_no_message(history: History, tmp_path: Path) -> None:
    """A password's hash stays out; what somebody wrote cannot drive the terminal."""
    ada = history.person("Ada")
    room = history.room(ada)
    history.record(ada, happened.PasswordSet(at=1, user_id=ada, password_hash="$argon2id$secret"))
    history.post(room, ada, "\x1b[2Jcleared \x9b31m")
    data = kept(history, tmp_path / "other")
    for arguments in (["tail"], ["tail", "--json"]):
        said = CliRunner().invoke(main, [*arguments, "--data", str(data)]).stdout
        assert "user.password_set" in said and "argon2" not in said
        assert "\x1b" not in said and ("\x9b" not in said or "--json" in arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["tail", "--from", "yesterday"],
        ["tail", "-f", "--to", "3"],
        ["rebuild", "--to", "3"],
        ["rebuild", "--into"],
        ["verify", "--what"],
        ["nothing"],
    ],
)
def test_wrong_use_is_told_and_changes_nothing(replay: Replay, data: Path, arguments: list[str]) -> None:
    """Exit code 2, as every program; no traceback."""
    before = (data / "campfire.db").read_bytes()
    result = replay(*arguments)
    assert result.exit_code == 2 and isinstance(result.exception, SystemExit)
    assert (data / "campfire.db").read_bytes() == before


@pytest.mark.parametrize("command", ["status", "verify", "rebuild", "tail"])
def test_a_directory_without_a_log_is_named(command: str, tmp_path: Path) -> None:
    """Nothing is made in it."""
    result = CliRunner().invoke(main, [command, "--data", str(tmp_path / "empty")])
    assert result.exit_code == 1 and str(tmp_path / "empty") in result.stderr
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize("command", ["status", "verify"])
def test_read_models_that_cannot_be_read_are_named(replay: Replay, data: Path, command: str) -> None:
    """With the command that mends them, which does."""
    (data / "campfire.db").write_bytes(b"no database at all" * 1000)
    result = replay(command)
    assert result.exit_code == 1 and "campfire.db" in result.stderr and "campfire-replay rebuild" in result.stderr
    told(replay("rebuild", "--json"))
    assert told(replay("verify", "--json"))["equal"]


def test_beside_a_running_server_the_server_rebuilds(replay: Replay, data: Path) -> None:
    """It alone writes its files; it goes on serving, and what the command shows is what it serves."""
    (data / "campfire.db").unlink()
    server = ServerProcess(data)
    try:
        server.start()
        digests = told(replay("rebuild", "--json"))["digests"]
        verified = told(replay("verify", "--json"))
        assert verified["equal"] and digests == {name: each["live"] for name, each in verified["tables"].items()}
        assert told(replay("status", "--json"))["well"]
        assert replay("rebuild", "--from", "0").exit_code == 2
    finally:
        server.end()
