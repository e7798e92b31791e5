"""Who may call what: every endpoint, by every kind of person, over real sockets."""

import pytest
from access_support.cell import KINDS, OUTSIDE, Cell
from access_support.expected import NOT_A_CASE, Row
from access_support.table import ROWS
from access_support.things import THINGS
from access_support.world import Person, World

from campfire.api.app import ROUTES

ROUTE_NAMES = [f"{route.method} {route.path}" for route in ROUTES]


@pytest.mark.parametrize("name", ROUTE_NAMES)
def test_every_endpoint_says_who_may_call_it(name: str) -> None:
    """An endpoint without a row in the table is one that nobody has thought about."""
    assert name in {row.route for row in ROWS}, (
        f"{name} has no row in tests/support/access_support/table.py: add Row({name!r}, EXPECTED) with what each kind"
        " of person must be answered, and to things.py whatever names in braces are not there yet."
    )


def test_the_table_knows_of_no_endpoint_that_is_not_there() -> None:
    """A row of a route that has gone would never be asked."""
    assert {row.route for row in ROWS} <= set(ROUTE_NAMES)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_each_kind_of_person_is_answered_as_they_should_be(world: World, ada: Person, row: Row) -> None:
    """The answer is the expected one; a refusal changes nothing, and nobody outside a room reads a word of it."""
    wrong = [
        problem
        for kind in KINDS
        if row.expected.of(kind) != NOT_A_CASE
        for problem in await _problems(await Cell.of(world, kind, ada, THINGS), row)
    ]
    assert not wrong, "\n".join([row.name, *wrong])


async def _problems(cell: Cell, row: Row) -> list[str]:
    """What is wrong with the answer to one call."""
    method, _, path = row.route.partition(" ")
    path = await cell.filled(row.path or path)
    body = await cell.filled(row.body)
    await cell.leave()
    before = cell.world.engine.position
    token = None if cell.kind == "signed_out" else cell.actor.token
    reply = await cell.world.send(method, path, body, token=token, headers=row.headers)
    after = cell.world.engine.position
    expected = row.expected.of(cell.kind)
    wrong = []
    if reply.outcome != expected:
        wrong.append(f"{cell.kind}: {reply.outcome}, not {expected}")
    if reply.outcome != "ok" and after != before:
        wrong.append(f"{cell.kind}: refused, but {after - before} events were recorded")
    if cell.kind in OUTSIDE and _is_told(cell, reply.body, path, body):
        wrong.append(f"{cell.kind}: the answer tells what is in a room that they are not in")
    await cell.world.settled()
    return wrong


def _is_told(cell: Cell, answer: bytes, path: str, body: object) -> bool:
    asked = cell.secret in path or cell.secret in str(body)
    return not asked and cell.secret.encode() in answer
