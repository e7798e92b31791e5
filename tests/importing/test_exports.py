"""Exports and imports as they are typed: beside a server that runs, killed, and without one."""

import errno
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from exports_support.content import PASSWORD, admin, admin_beside, lines
from faults_support.server_process import ServerProcess
from projections_support.digests import digests

from campfire.config import Settings
from campfire.domain.events import ImportProgressed, WebhookCreated
from campfire.engine import Engine
from campfire.eventlog.reader import LogReader
from outbox.ledger import Ledger
from outbox.planner import Planner
from outbox.rendering import Renderer

if TYPE_CHECKING:
    from tests.importing.conftest import Imports

KILLED = Path(__file__).with_name("killed_account_import.py")


def told(*words: str | Path) -> Any:
    result = admin(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


class Caller:
    """Somebody who speaks to a server process."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url
        self.token = token

    def call(self, method: str, path: str, body: Any = None) -> Any:
        raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        request = urllib.request.Request(self._url + path, raw, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or b"null")


@pytest.fixture
def room(imports: "Imports", server: ServerProcess) -> str:
    """A room with two messages and a file, on a server that runs."""
    server.start()
    founder = {"account": "Acme", "name": "Ada", "email": "ada@example.com", "password": PASSWORD}
    founded = Caller(server.url).call("POST", "/api/v1/setup", founder)
    ada = Caller(server.url, founded["token"])
    room_id = str(founded["room"]["id"])
    file = ada.call("POST", "/api/v1/uploads?name=notes.txt", b"the minutes")
    ada.call("POST", f"/api/v1/rooms/{room_id}/messages", {"body": "hello"})
    ada.call("POST", f"/api/v1/rooms/{room_id}/messages", {"body": "the file", "uploads": [file["id"]]})
    ada.call("POST", "/api/v1/webhooks", {"url": "https://example.com/hook", "events": ["message.posted"]})
    ada.call("POST", f"/api/v1/rooms/{room_id}/messages", {"body": "a webhook hears this"})
    return room_id


def killed_at(step: int, export: Path, data: Path) -> bool:
    """Import in a process that dies at a step; False if it came to its end before."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CAMPFIRE_")}
    command = [sys.executable, str(KILLED), "import", "account", str(export), "--data", str(data)]
    ran = subprocess.run(command, env=environment | {"DIE_AT": str(step)}, capture_output=True, timeout=120)
    assert ran.returncode in (0, -9), ran.stderr
    return ran.returncode == -9


def events_of(data: Path) -> int:
    if not (data / "events.db").exists():
        return 0
    reader = LogReader(data / "events.db")
    try:
        return reader.tip().position
    finally:
        reader.close()


async def started(data: Path) -> int:
    """What a server would serve from there."""
    engine = await Engine.open(Settings(data=data))
    try:
        return engine.position
    finally:
        await engine.close()


async def test_a_killed_account_import_leaves_nothing_or_all(
    imports: "Imports", server: ServerProcess, room: str, tmp_path: Path
) -> None:
    """At whichever step: a server finds an empty directory or the whole account; the same command mends the first."""
    export = tmp_path / "export"
    await admin_beside("export", "account", export, "--data", imports.data)
    whole = len(lines(export, "events.ndjson"))
    found, step = set(), 1
    while killed_at(step, export, data := tmp_path / f"killed{step}"):
        found.add(await started(data))
        if events_of(data) == 0:
            imported = await admin_beside("import", "account", export, "--data", data)
            assert imported["events"] == whole and not (data / "import").exists()
        assert await started(data) == whole and digests(data) == digests(imports.data)
        step += 1
    assert step > 5 and found == {0, whole}


def test_rooms_and_people_come_in_while_the_server_runs(
    imports: "Imports", server: ServerProcess, room: str, tmp_path: Path
) -> None:
    """Over its socket, files included; twice adds nothing."""
    for kind, what in (("room", "All Talk"), ("person", "ada@example.com")):
        told("export", kind, what, tmp_path / kind, "--data", imports.data)
        other = ServerProcess(tmp_path / f"other-{kind}")
        other.start()
        try:
            first = told("import", kind, tmp_path / kind, "--data", other.data)
            assert first["events"] > 3 and not first["already_there"]
            assert told("import", kind, tmp_path / kind, "--data", other.data)["already_there"]
            blobs = [path.read_bytes() for path in (other.data / "blobs").rglob("*") if path.is_file()]
            assert blobs == [b"the minutes"]
        finally:
            other.end()


async def test_webhooks_of_an_imported_account_hear_of_what_comes_only(
    imports: "Imports", server: ServerProcess, room: str, tmp_path: Path
) -> None:
    """They are there, and what they heard once is not sent again, though this outbox has never run."""
    await admin_beside("export", "account", tmp_path / "export", "--data", imports.data)
    other = tmp_path / "other"
    await admin_beside("import", "account", tmp_path / "export", "--data", other)
    reader, ledger = LogReader(other / "events.db"), Ledger(other / "outbox.db")
    await ledger.open()
    planner = Planner(ledger, reader, Renderer(reader), lambda: 0)
    history = reader.read(0, 1000)
    assert any(isinstance(each.event, WebhookCreated) for each in history[:-1])
    assert await planner.take(history) == set()
    assert await ledger.rows("SELECT COUNT(*) FROM endpoints") == [(1,)]
    assert await ledger.rows("SELECT COUNT(*) FROM deliveries") == [(0,)]
    await ledger.close()
    reader.close()


def test_what_cannot_be_exported_is_told(imports: "Imports", room: str, tmp_path: Path) -> None:
    """In words of the catalogue, and nothing is left behind."""
    for words, code in (
        (("room", "No Such Room"), "ROOM_NOT_FOUND"),
        (("person", "nobody@example.com"), "USER_NOT_FOUND"),
    ):
        result = admin("export", *words, tmp_path / "export", "--data", imports.data)
        assert result.exit_code == 1 and result.stderr.startswith(f"{code}: ")
    result = admin("export", "account", tmp_path / "export", "--data", tmp_path / "nowhere")
    assert result.exit_code == 1 and result.stderr.startswith("NOT_FOUND: ")
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def test_a_full_disk_is_told_as_one(
    imports: "Imports", room: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To make room is what helps, not to look for a wrong setting."""

    def full(*_arguments: Any, **_options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("campfire.admin_exports.write_export", full)
    result = admin("export", "account", tmp_path / "export", "--data", imports.data)
    assert result.exit_code == 1 and result.stderr.startswith("DISK_FULL: ")
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def test_an_export_of_the_wrong_kind_is_not_taken_for_another(imports: "Imports", room: str, tmp_path: Path) -> None:
    """A person's is no room; a room's is no account."""
    told("export", "room", room, tmp_path / "export", "--data", imports.data)
    for kind in ("account", "person"):
        result = admin("import", kind, tmp_path / "export", "--data", tmp_path / "other")
        assert result.exit_code == 1 and "kind room" in result.stderr


def test_a_person_import_is_on_record(imports: "Imports", room: str, tmp_path: Path) -> None:
    """Without a server too."""
    told("export", "person", "ada@example.com", tmp_path / "export", "--data", imports.data)
    told("import", "person", tmp_path / "export", "--data", tmp_path / "other")
    reader = LogReader(tmp_path / "other" / "events.db")
    [progressed] = [each.event for each in reader.read(0, 1000) if isinstance(each.event, ImportProgressed)]
    reader.close()
    assert progressed.lines == len(lines(tmp_path / "export", "events.ndjson"))
