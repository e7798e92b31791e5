"""Pages that say what the code says are compared with the code."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

import campfire.admin
import campfire.cli
import outbox.cli
import projections.cli
from campfire.command_line import EXIT_CODES
from campfire.config import Settings
from campfire.errors import catalogue_page

MODULES = {
    "campfire": "campfire.cli",
    "campfire-admin": "campfire.admin",
    "campfire-replay": "projections.cli",
    "campfire-outbox": "outbox.cli",
}
GROUPS = {
    "campfire": campfire.cli.main,
    "campfire-admin": campfire.admin.main,
    "campfire-replay": projections.cli.main,
    "campfire-outbox": outbox.cli.main,
}
ROW = re.compile(r"^\| `(CAMPFIRE_\w+)` \| ?(.*?) ?\| .+ \|$", re.MULTILINE)
PROGRAM = re.compile(r"^\| `(campfire[\w-]*)( \w+)?` \| (.*) \|$", re.MULTILINE)


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below `group` with the words that lead to it."""
    yield path, group
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from commands(command, (*path, name))


ALL_COMMANDS = {
    " ".join((program, *path)): command for program, group in GROUPS.items() for path, command in commands(group)
}


def test_the_page_of_errors_is_the_catalogue(root: Path) -> None:
    """If this fails: scripts/docs writes it again."""
    assert (root / "docs" / "errors.md").read_text(encoding="utf-8") == catalogue_page()


def test_the_page_of_settings_names_them_all_and_no_others(root: Path) -> None:
    """In the order of the code."""
    rows = ROW.findall((root / "docs" / "operations.md").read_text(encoding="utf-8"))
    assert [name for name, _ in rows] == [
        f"CAMPFIRE_{field.name.upper()}" for field in msgspec.structs.fields(Settings)
    ]


def test_the_page_of_settings_gives_the_defaults_that_hold(root: Path) -> None:
    """Setting one to its documented default changes nothing."""
    for name, default in ROW.findall((root / "docs" / "operations.md").read_text(encoding="utf-8")):
        assert Settings.from_environment({name: default.strip("` ")}) == Settings(), name


def test_the_page_of_operations_gives_the_exit_codes_that_hold(root: Path) -> None:
    """A script that looks at them can rely on the page."""
    page = (root / "docs" / "operations.md").read_text(encoding="utf-8")
    for code, number in re.findall(r"`([A-Z_]+)` \(exit code (\d+)\)", page):
        assert EXIT_CODES[code] == int(number)


@pytest.mark.parametrize("program", MODULES)
def test_every_program_teaches_itself(program: str) -> None:
    """`--help` ends well, says in a sentence what the program is for, and lists what it can do."""
    ran = subprocess.run([sys.executable, "-m", MODULES[program], "--help"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0 and ran.stderr == ""
    assert "Usage:" in ran.stdout
    assert str(GROUPS[program].help).partition("\n")[0] in " ".join(ran.stdout.split())
    assert all(name in ran.stdout for name in GROUPS[program].commands)


@pytest.mark.parametrize("command", ALL_COMMANDS)
def test_every_command_says_what_it_is_for(command: str) -> None:
    """And every one of its options what it does."""
    described = ALL_COMMANDS[command]
    assert described.help and described.help.strip()
    silent = [
        option.name
        for option in described.params
        if isinstance(option, click.Option) and not option.help and not option.hidden
    ]
    assert silent == []


def test_the_entry_points_are_the_programs_of_the_page(root: Path) -> None:
    """What setup.cfg installs is what the README and these tests speak of."""
    section = (root / "setup.cfg").read_text(encoding="utf-8").partition("console_scripts =")[2].partition("\n\n")[0]
    installed = dict(re.findall(r"([\w-]+) = ([\w.]+):main", section))
    assert installed == MODULES


def test_the_readme_lists_commands_that_exist(root: Path) -> None:
    """All that it names can be typed."""
    rows = PROGRAM.findall((root / "README.md").read_text(encoding="utf-8"))
    assert {program for program, *_ in rows} == set(GROUPS)
    for program, word, rest in rows:
        named = [word.strip()] if word else re.findall(r"`([^`]+)`", rest)
        assert named and not [each for each in named if f"{program} {each}" not in ALL_COMMANDS]
