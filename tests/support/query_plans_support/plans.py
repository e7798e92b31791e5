"""How SQLite would run a statement, and what of that gets slower with every message."""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_SCAN = re.compile(r"SCAN (?:TABLE )?(?P<what>\S+)(?P<how>.*)")
_NAMED_PART = re.compile(r"(\w+)\s+AS\s+(?:MATERIALIZED\s+)?\(\s*SELECT", re.IGNORECASE)
_VIRTUAL_INDEX = re.compile(r"VIRTUAL TABLE INDEX \d+:(?P<constraint>.*)")


class Excused(NamedTuple):
    """A statement, by a part of it, that may do what others may not, and why."""

    part: str
    reason: str


def objections(connection: sqlite3.Connection, statement: str, parameters: Any = ()) -> list[str]:
    """What is wrong with the plan: a table or a whole index walked through, rows sorted, an index made for the query.

    Looks at the schema of `connection` only; SQLite must have no statistics, which a young server has not either.
    """
    plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
    parts = {name.lower() for name in _NAMED_PART.findall(statement)}
    return [detail for *_, detail in plan if _is_wrong(detail, parts)]


def all_objections(
    connection: sqlite3.Connection, statements: Mapping[str, Any], excepted: Sequence[Excused]
) -> tuple[list[str], list[Excused]]:
    """Objections to `statements` (with parameters), and those of `excepted` that nothing needed."""
    found: list[str] = []
    needed: set[Excused] = set()
    for statement, parameters in statements.items():
        wrong = objections(connection, statement, parameters)
        excuses = [each for each in excepted if plain(each.part) in plain(statement)]
        if wrong and excuses:
            needed.update(excuses)
        elif wrong:
            found.append(f"{plain(statement)}\n    {'; '.join(wrong)}")
    return found, [each for each in excepted if each not in needed]


def plain(statement: str) -> str:
    """On one line, whatever the line breaks were."""
    return " ".join(statement.split())


def _is_wrong(detail: str, parts: set[str]) -> bool:
    if "AUTOMATIC" in detail or ("TEMP B-TREE FOR" in detail and "ORDER BY" in detail):
        return True
    scan = _SCAN.match(detail)
    if scan is None:
        return False
    what = scan["what"].lower()
    if what in parts or what.startswith(("(", "constant", "json_each")) or scan["how"].startswith(" CONSTANT ROW"):
        return False
    index = _VIRTUAL_INDEX.search(scan["how"])
    return index is None or not index["constraint"]
