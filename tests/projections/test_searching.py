from collections.abc import Awaitable, Callable, Collection

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from projections_support.history import History
from query_plans_support.impatient import Impatient

from campfire.domain import events as happened
from campfire.errors import CampfireError
from campfire.iso_times import ms_from_iso
from projections.queries.search import Order, Page, search
from projections.queries.search_scope import Search
from projections.queries.search_text import parse
from projections.read_models import ReadModels
from projections.search import facets, period_words

TakeIn = Callable[[], None]
Find = Callable[[str], Awaitable[list[str]]]
many_examples = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])

HOSTILE = (
    "",
    " ",
    '"',
    '""',
    "'",
    "*",
    "a*",
    "^a",
    "-a",
    "a OR b",
    "a AND",
    "NOT",
    "NEAR(a b, 3)",
    "body:a",
    "{room} : secret",
    "room:r*",
    "((((",
    ")",
    "a\0b",
    "\ud800",
    "🏕️ 👩‍👩‍👧",
    "%_",
    "; DROP TABLE messages; --",
    "x" * 10_000,
    "a " * 5_000,
    '"unfinished phrase',
    "{facets} : secret",
    "from:",
    'from:"',
    "from:@ in:# has: before:",
    "after:9999 before:0000 on:2023-02-30",
    "before:99999-99-99T99:99",
    "has:file has:everything",
)


@pytest.fixture
def crowd(history: History) -> tuple[str, str, str]:
    """Ada and Bob, and a room of both."""
    ada, bob = history.person("Ada"), history.person("Bob")
    return ada, bob, history.room(ada, bob)


@pytest.fixture
def find(read_models: ReadModels, crowd: tuple[str, str, str]) -> Find:
    """The bodies that a text finds in the room, newest first."""

    async def found(text: str) -> list[str]:
        return bodies(await search(read_models, asking(text, [crowd[2]]), 100))

    return found


def asking(text: str, room_ids: Collection[str]) -> Search:
    """A search without names of people or rooms."""
    typed = parse(text)
    return Search(typed.terms, frozenset(room_ids), after=typed.after, before=typed.before, has=typed.has)


def bodies(page: Page) -> list[str]:
    return [hit.message.body for hit in page.hits]


def highlighted(page: Page) -> list[list[str]]:
    return [[hit.message.body[start:end] for start, end in hit.highlights] for hit in page.hits]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_whatever_is_typed_is_a_search(
    read_models: ReadModels, project: TakeIn, history: History, crowd: tuple[str, str, str], text: str
) -> None:
    """No input is an error, and none reaches a room that was not given."""
    ada, bob, room = crowd
    secret = history.room(bob, name="Secret")
    history.post(room, ada, "a b AND OR NOT NEAR body room x")
    history.post(secret, bob, "secret a b AND OR NOT NEAR body room x 🏕️ 👩‍👩‍👧")
    project()
    found = await search(read_models, asking(text, [room]), 100)
    assert {hit.message.room_id for hit in found.hits} <= {room}


async def test_searching_finds_words_phrases_and_beginnings(
    project: TakeIn, history: History, crowd: tuple[str, str, str], find: Find
) -> None:
    """Words in any order, a phrase only as it stands, the last word also as a beginning, accents or not."""
    ada, _, room = crowd
    history.post(room, ada, "the kernel module would not load")
    history.post(room, ada, "load the Café module of the kernel")
    edited = history.post(room, ada, "nothing to see")
    history.edit(room, edited, "kernel panic")
    deleted = history.post(room, ada, "kernel secrets")
    history.delete(room, deleted)
    project()
    panic, cafe, load = "kernel panic", "load the Café module of the kernel", "the kernel module would not load"
    assert await find("KERNEL") == [panic, cafe, load]
    assert await find("load module") == [cafe, load]
    assert await find('"kernel module"') == [load]
    assert await find("kern") == await find("kern*") == [panic, cafe, load]
    assert await find("kern* module") == [cafe, load]
    assert await find("kern module") == await find('"kern"') == []
    assert await find("cafe") == [cafe]
    assert await find("nothing") == await find("secrets") == []


async def test_a_period_is_exact_to_the_millisecond(
    project: TakeIn, history: History, crowd: tuple[str, str, str], find: Find
) -> None:
    """`after:` begins with the day, `before:` ends where it begins, `on:` is the whole of it; in UTC."""
    ada, _, room = crowd
    times = (
        "1969-07-20T20:17:00Z",
        "2004-10-31T23:59:59.999Z",
        "2004-11-01T00:00:00Z",
        "2004-11-30T23:59:59.999Z",
        "2005-01-01T00:00:00Z",
        "2077-01-01T00:00:00Z",
    )
    for time in times:
        history.post(room, ada, f"said {time}", at=ms_from_iso(time))
    project()

    async def said(text: str) -> list[str]:
        return [body.removeprefix("said ") for body in reversed(await find(text))]

    assert await said("said") == list(times)
    assert await said("on:2004-11") == await said("said on:2004-11") == list(times[2:4])
    assert await said("on:2004-11-01") == [times[2]]
    assert await said("on:2004") == list(times[1:4])
    assert await said("before:2004-11") == list(times[:2])
    assert await said("after:2004-11-30") == list(times[3:])
    assert await said("after:2004-11-30T23:59:59.999Z before:2005-01-01T00:00:00.001Z") == list(times[3:5])
    assert await said("after:2005-01-01T01:00:00+01:00") == list(times[4:])
    assert await said("on:2004-11-30T23:58Z") == []
    assert await said("after:2005 before:2004") == []
    assert await said("on:2077") == await said("after:2050") == [times[5]]
    assert await said("on:1969") == await said("before:1990") == [times[0]]


@many_examples
@given(
    times=st.lists(st.integers(-(10**12), 4 * 10**12), min_size=1, max_size=8),
    bounds=st.lists(st.none() | st.integers(-(10**12), 4 * 10**12), min_size=2, max_size=2),
)
def test_the_words_of_a_period_reach_every_message_of_it(times: list[int], bounds: list[int | None]) -> None:
    """The index may offer too many, never too few."""
    after, before = bounds
    start, end = -(1 << 62) if after is None else after, 1 << 62 if before is None else before
    offered = set(period_words(start, end)) if start < end else set()
    for at in times:
        if start <= at < end:
            assert offered & set(facets("room", "author", at, "").split())


async def test_what_a_message_has_follows_what_happens_to_it(
    project: TakeIn, history: History, crowd: tuple[str, str, str], find: Find
) -> None:
    """Links with the text, boosts and replies as they come and go."""
    ada, bob, room = crowd
    linked = history.post(room, ada, "see HTTPS://example.org/page")
    plain = history.post(room, ada, "no http:// link")
    reply = history.post(room, bob, "indeed", reply_to=plain)
    boost_id = history.new_id()
    place = {"at": 1, "message_id": plain, "room_id": room, "boost_id": boost_id, "by": bob}
    history.record(boost_id, happened.BoostAdded(**place, by_name="Bob", content="+1"))
    project()
    assert await find("has:link") == ["see HTTPS://example.org/page"]
    assert await find("has:boost") == await find("has:thread") == await find("has:thread has:boost link") != []
    assert await find("has:thread has:link") == []
    history.edit(room, linked, "nothing to see")
    history.edit(room, plain, "there: https://example.org")
    history.delete(room, reply)
    history.record(boost_id, happened.BoostRemoved(**place))
    project()
    assert await find("has:link") == await find("has:link on:2023-11") == ["there: https://example.org"]
    assert await find("has:boost") == await find("has:thread") == []


@pytest.mark.parametrize("order", ["newest", "relevance"])
@pytest.mark.parametrize("text", ["word", "wor*", '"a word"', "word after:2001", "has:thread"])
async def test_the_way_of_looking_does_not_change_what_is_found(
    read_models: ReadModels, project: TakeIn, history: History, crowd: tuple[str, str, str], text: str, order: Order
) -> None:
    """In few rooms, in many, and in many when the quick way proves slow; never anything of other rooms."""
    ada, bob, room = crowd
    others = [history.room(ada, bob) for _ in range(30)]
    first = history.post(room, ada, "a word")
    for number, place in enumerate([*others, room, room]):
        history.post(place, bob, f"a word {number} wordy", reply_to=first if place == room else None)
    project()
    few = bodies(await search(read_models, asking(text, [room]), 50, order=order))
    nowhere = [f"no such room {number}" for number in range(30)]
    many = asking(text, [room, *nowhere])
    assert few != []
    assert bodies(await search(read_models, many, 50, order=order)) == few
    assert bodies(await search(Impatient(read_models), many, 50, order=order)) == few


@pytest.mark.parametrize("order", ["newest", "relevance"])
async def test_pages_neither_skip_nor_repeat(
    read_models: ReadModels, project: TakeIn, history: History, crowd: tuple[str, str, str], order: Order
) -> None:
    """Also when messages come and go between two pages."""
    ada, _, room = crowd
    ids = {f"wombat {'x ' * (number % 3)}{number}": number for number in range(20)}
    posted = [history.post(room, ada, body) for body in ids]
    project()
    asked = asking("wombat", [room])
    expected = bodies(await search(read_models, asked, 100, order=order))
    assert set(expected) == set(ids)
    page = await search(read_models, asked, 7, order=order)
    seen = bodies(page)
    history.post(room, ada, "wombat wombat")
    history.delete(room, posted[ids[seen[-1]]])
    project()
    while page.next is not None:
        page = await search(read_models, asked, 7, order=order, cursor=page.next)
        seen += bodies(page)
    assert seen == expected


async def test_relevance_prefers_what_is_said_often_and_as_typed(
    read_models: ReadModels, project: TakeIn, history: History, crowd: tuple[str, str, str]
) -> None:
    """Then what is short; without words, what is new."""
    ada, _, room = crowd
    said = (
        "red wombat",
        "wombat, red wombat and red again: a red wombat",
        "a wombat that is not red, " + "and so on " * 40,
        "red, as every wombat",
    )
    for body in said:
        history.post(room, ada, body)
    project()

    async def ranked(text: str) -> list[str]:
        return bodies(await search(read_models, asking(text, [room]), 10, order="relevance"))

    assert await ranked("red wombat") == [said[1], said[0], said[3], said[2]]
    assert await ranked("on:2023") == list(reversed(said))


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.2", "1.2.3.4", "9" * 30, "٣", "1."])
@pytest.mark.parametrize("order", ["newest", "relevance"])
async def test_a_cursor_that_nobody_gave_is_refused(read_models: ReadModels, cursor: str, order: Order) -> None:
    """VALIDATION_FAILED; it is no text that somebody typed."""
    with pytest.raises(CampfireError) as refused:
        await search(read_models, asking("wombat", ["room"]), 10, order=order, cursor=cursor)
    assert refused.value.code == "VALIDATION_FAILED"


@pytest.mark.parametrize("order", ["newest", "relevance"])
async def test_highlights_are_the_words_as_they_stand_in_the_body(
    read_models: ReadModels, project: TakeIn, history: History, crowd: tuple[str, str, str], order: Order
) -> None:
    """Whole words for beginnings, accents and case as written, a phrase in one; marks of our own do not confuse."""
    ada, _, room = crowd
    history.post(room, ada, "\ue000 Le Cafe\u0301 🏕️ \ue001\ue001 CAFÉS\ue000 noir \ue000café\ue001 café")
    project()

    async def found(text: str) -> list[list[str]]:
        return highlighted(await search(read_models, asking(text, [room]), 10, order=order))

    assert await found("cafe le") == [["Le", "Cafe\u0301", "café"]]
    assert await found("noir cafes*") == [["CAFÉS\ue000", "noir"]]
    assert await found('"LE CAFÉ"') == [["Le Cafe\u0301"]]
    assert await found("has:boost") == []
    assert await found("on:2023") == [[]]


@many_examples
@given(body=st.text(alphabet="ab é\u0301\ue000\ue001🏕.\ufdd0", min_size=1, max_size=30))
async def test_highlights_never_miss_their_place(
    read_models: ReadModels, project: TakeIn, history: History, body: str
) -> None:
    """Whatever stands around it, what is highlighted is the word that was looked for."""
    ada = history.person("Ada")
    room = history.room(ada)
    history.post(room, ada, f"{body} wombat {body}")
    project()
    assert highlighted(await search(read_models, asking("wombat", [room]), 1)) == [["wombat"]]
