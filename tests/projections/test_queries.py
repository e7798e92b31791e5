import asyncio
from collections.abc import Awaitable, Callable

import pytest
from projections_support.history import History

from projections.queries import messages, unread
from projections.queries.messages import MessageRow
from projections.read_models import ReadModels

TakeIn = Callable[[], None]


@pytest.fixture
def crowd(history: History) -> tuple[str, str, str]:
    """Ada and Bob, and a room of both."""
    ada, bob = history.person("Ada"), history.person("Bob")
    return ada, bob, history.room(ada, bob)


async def walk(
    start: list[MessageRow], step: Callable[[MessageRow], Awaitable[list[MessageRow]]], *, end: int
) -> list[str]:
    """Page on from `start` until nothing comes; `end` is the place in a page to go on from."""
    seen, page = [], start
    while page:
        seen.append([row.body for row in page])
        page = await step(page[end])
    pages = seen if end == -1 else reversed(seen)
    return [body for page_ in pages for body in page_]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
async def test_paging_neither_skips_nor_repeats_messages_of_one_moment(
    read_models: ReadModels, project: TakeIn, history: History, crowd: tuple[str, str, str], limit: int
) -> None:
    """Many messages with the same time, and some that came late with an earlier one: each is met once."""
    ada, _, room = crowd
    for number in range(20):
        history.post(room, ada, f"m{number:02}", at=5_000 + number // 8)
    history.post(room, ada, "imported late", at=5_000)
    deleted = history.post(room, ada, "deleted", at=5_001)
    history.delete(room, deleted)
    project()
    expected = [
        *(f"m{number:02}" for number in range(8)),
        "imported late",
        *(f"m{number:02}" for number in range(8, 20)),
    ]
    backwards = await walk(
        await messages.latest(read_models, room, limit), lambda row: messages.before(read_models, row, limit), end=0
    )
    assert backwards == expected
    first = await messages.latest(read_models, room, 50)
    forwards = await walk(first[:1], lambda row: messages.after(read_models, row, limit), end=-1)
    assert forwards == expected
    for row in first:
        around = [each.body for each in await messages.around(read_models, row, limit)]
        place = expected.index(row.body)
        assert row.body in around and len(around) <= limit
        assert around == expected[place - around.index(row.body) :][: len(around)]


async def test_around_a_deleted_message_shows_its_neighbours(
    read_models: ReadModels, project: TakeIn, history: History, crowd: tuple[str, str, str]
) -> None:
    """A link to it still leads to the right place."""
    ada, _, room = crowd
    ids = [history.post(room, ada, f"m{number}") for number in range(5)]
    history.delete(room, ids[2])
    project()
    deleted = await messages.by_id(read_models, ids[2])
    assert deleted is not None and deleted.body == ""
    assert [row.body for row in await messages.around(read_models, deleted, 4)] == ["m0", "m1", "m3", "m4"]


async def test_unread_counts_what_others_wrote_since(
    read_models: ReadModels, project: TakeIn, history: History, crowd: tuple[str, str, str]
) -> None:
    """Not one's own, not deleted ones, not what was there before one came, and nothing where one is no member."""
    ada, bob, room = crowd
    eve = history.person("Eve")
    first = history.post(room, ada, "one")
    at_first = history.position
    history.join(room, eve)
    history.post(room, ada, "two")
    gone = history.post(room, ada, "three")
    history.post(room, bob, "mine")
    project()
    assert await unread.counts(read_models, bob) == {room: (3, 0)}
    assert await unread.counts(read_models, eve) == {room: (3, 0)}
    assert await unread.counts(read_models, ada) == {room: (1, 0)}
    history.read(room, bob, at_first)
    history.delete(room, gone)
    project()
    assert await unread.counts(read_models, bob) == {room: (1, 0)}
    history.delete(room, first)
    history.leave(room, bob)
    project()
    assert await unread.counts(read_models, bob) == {}


async def test_a_count_stops_at_its_limit(
    read_models: ReadModels, project: TakeIn, history: History, crowd: tuple[str, str, str]
) -> None:
    """A room that nobody opened for a year costs no more than a busy day."""
    ada, bob, room = crowd
    for number in range(unread.MOST + 5):
        history.post(room, ada, str(number))
    project()
    assert await unread.counts(read_models, bob) == {room: (unread.MOST, 0)}


async def test_messages_are_counted_and_found_by_their_number(
    read_models: ReadModels, project: TakeIn, history: History, crowd: tuple[str, str, str]
) -> None:
    """Deleted ones do not count, but are still found; whatever is there, a count is one look."""
    ada, _, room = crowd
    other = history.room(ada)
    ids = [history.post(room, ada, f"m{number}") for number in range(5)]
    place = history.position
    history.post(other, ada, "elsewhere")
    empty = history.room(ada)
    history.delete(room, ids[2])
    project()
    assert [await messages.count(read_models, each) for each in (room, other, empty)] == [4, 1, 0]
    rows = await read_models.rows("SELECT COUNT(*) FROM messages WHERE room_id = ? AND deleted_at IS NULL", (room,))
    assert rows[0][0] == 4
    found = await messages.at_position(read_models, place)
    assert found is not None and found.id == ids[4]
    assert await messages.at_position(read_models, place + 999) is None


async def test_queries_that_may_take_long_leave_room_for_those_that_do_not(read_models: ReadModels) -> None:
    """A flood of searches keeps nobody from reading."""
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n"
    flood = [asyncio.ensure_future(read_models.rows(endless, seconds=0.5)) for _ in range(6)]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(0.4):
        assert await read_models.rows("SELECT 1") == [(1,)]
    assert not any(each.done() for each in flood)
    outcomes = await asyncio.gather(*flood, return_exceptions=True)
    assert [type(each) for each in outcomes] == [TimeoutError] * 6
