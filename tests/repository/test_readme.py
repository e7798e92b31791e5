"""What the README and the docs tell people to type and to read is so."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faults_support.server_process import ServerProcess

FENCED = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
SOURCE_FILE = re.compile(r"`([\w./]+\.py)`")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A real server that nobody has set up."""
    process = ServerProcess(tmp_path / "data")
    process.start()
    yield process
    process.end()


def answers(text: str) -> list[dict[str, Any]]:
    """The JSON documents in `text`, which stand one behind the other."""
    decoder, found, place = json.JSONDecoder(), [], 0
    while place < len(text.rstrip()):
        answer, place = decoder.raw_decode(text, place)
        found.append(answer)
        place += len(text[place:]) - len(text[place:].lstrip())
    return found


def test_the_tour_with_curl_works_as_it_is_written(root: Path, server: ServerProcess, tmp_path: Path) -> None:
    """Pasted from top to bottom into a shell, every call succeeds and shows what the words around it say."""
    blocks = FENCED.findall((root / "README.md").read_text(encoding="utf-8"))
    assert len(blocks) >= 5
    script = "\n".join(blocks).replace("http://localhost:3000", server.url).replace("curl -s", "curl -sS --fail")
    python = Path(sys.executable).parent
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{python}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    first, again, ben, room, search, feed, pulled, health = answers(ran.stdout)
    assert (first["duplicate"], again["duplicate"]) == (False, True) and first["id"] == again["id"]
    assert ben["user"]["name"] == "Ben"
    assert (
        [each["body"] for each in room["messages"]]
        == ["Hello, everybody"]
        == [each["body"] for each in search["messages"]]
    )
    assert "message.posted" in {each["event"] for each in feed["events"]}
    assert json.loads((tmp_path / "webhook.json").read_text())["secret"].startswith("whsec_")
    assert pulled["events"] == [] and pulled["sequence"] == 0
    assert "status" in health


def test_every_link_of_the_documentation_leads_somewhere(root: Path) -> None:
    """To a file of this repository, if not to the web."""
    pages = [root / "README.md", root / "CHANGELOG.md", *sorted((root / "docs").glob("*.md"))]
    broken = [
        f"{page.name}: {link}"
        for page in pages
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert broken == []


def test_the_architecture_names_files_that_exist(root: Path) -> None:
    """A newcomer finds what the page speaks of."""
    named = SOURCE_FILE.findall((root / "docs" / "architecture.md").read_text(encoding="utf-8"))
    assert named
    assert [name for name in named if not any((top / name).exists() for top in (root, root / "campfire"))] == []
