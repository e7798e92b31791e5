"""What is asked of SQLite while something runs, and from which lines of our code."""

import ast
import sqlite3
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
_ASKING = ("rows", "_rows", "execute", "executemany", "bulk_insert", "execute_fetchall", "rows_of")
"""Names of the calls by which our code hands a statement to a database."""
_QUERYING = ("SELECT", "WITH", "INSERT", "REPLACE", "UPDATE", "DELETE")

Site = tuple[Path, int]
"""A file and a line (from 1) in it."""


class Recording:
    """Statements by database file name, each with the parameters that it first had; and the lines that asked."""

    def __init__(self) -> None:
        self.statements: dict[str, dict[str, Any]] = {}
        self.sites: set[Site] = set()

    def begin(self, monkeypatch: pytest.MonkeyPatch, *askers: type) -> None:
        """Listen to every connection made from here on, and to the coroutine `rows` of `askers`.

        A statement of theirs runs on another thread, where nobody knows any more who asked.
        """
        connect, recording = sqlite3.connect, self

        class Heard(sqlite3.Connection):
            _file: str | None = None

            def execute(self, statement: str, parameters: Any = (), /) -> sqlite3.Cursor:
                recording._note(self._database(), statement, parameters)
                return super().execute(statement, parameters)

            def executemany(self, statement: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
                every = list(rows)
                recording._note(self._database(), statement, every[0] if every else None)
                return super().executemany(statement, every)

            def _database(self) -> str:
                if self._file is None:
                    self._file = Path(super().execute("PRAGMA database_list").fetchone()[2]).name
                return self._file

        def heard(*arguments: Any, **options: Any) -> sqlite3.Connection:
            return connect(*arguments, **{**options, "factory": Heard})

        monkeypatch.setattr(sqlite3, "connect", heard)
        for asker in askers:
            monkeypatch.setattr(asker, "rows", self._heard_rows(asker.rows))  # type: ignore[attr-defined]

    def never_asked(self, files: Iterable[Path]) -> list[str]:
        """The calls in `files` that hand a statement to a database and were not made meanwhile."""
        return [
            f"{file.name}:{first}"
            for file in files
            for first, last in asking_calls(file.read_text())
            if not any((file, line) in self.sites for line in range(first, last + 1))
        ]

    def _heard_rows(self, rows: Callable[..., Any]) -> Callable[..., Any]:
        async def heard(*arguments: Any, **options: Any) -> Any:
            self._note_sites(sys._getframe(1))
            return await rows(*arguments, **options)

        return heard

    def _note(self, database: str, statement: str, parameters: Any) -> None:
        self._note_sites(sys._getframe(2))
        if parameters is not None and statement.lstrip().upper().startswith(_QUERYING):
            self.statements.setdefault(database, {}).setdefault(statement, parameters)

    def _note_sites(self, frame: FrameType | None) -> None:
        while frame is not None:
            self.sites.add((Path(frame.f_code.co_filename), frame.f_lineno))
            frame = frame.f_back


def asking_calls(source: str) -> Sequence[tuple[int, int]]:
    """First and last line of each call that hands a statement to a database."""
    return [
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and _called(node) in _ASKING
    ]


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""
