import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campfire.iso_times import ms_from_iso
from projections.queries.search_text import SearchText, Term, body_expression, parse, period_of
from projections.search import PROJECTION

_PIECES = st.sampled_from(
    [*"ab\"'*^-+:(){}@# \0é漢", " ", "from:", "in:", "has:link", "before:", "on:2004-11", "2004", "OR", "NEAR("]
)
anything = st.text(max_size=60) | st.lists(_PIECES, max_size=30).map("".join)
names = st.text(min_size=1, max_size=20).filter(
    lambda name: not set(name) & set('"\0') and name == name.strip() and not name.startswith(("@", "#"))
)


@pytest.fixture(scope="module")
def index() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.executescript(PROJECTION.schema)
    yield connection
    connection.close()


@given(text=anything)
def test_any_text_can_be_taken_apart_and_looked_for(index: sqlite3.Connection, text: str) -> None:
    """The index never finds an error in what we make of it."""
    terms = parse(text).terms
    if terms:
        index.execute("SELECT rowid FROM message_search WHERE message_search MATCH ?", (body_expression(terms),))


@given(sender=names, room=names, words=st.lists(st.text("abcé", min_size=1), max_size=5, unique=True))
def test_operators_are_read_as_they_were_written(sender: str, room: str, words: list[str]) -> None:
    """Names in quotes may hold anything but a quote; words keep their order beside them."""
    sender, room = (name.encode(errors="replace").decode() for name in (sender, room))
    typed = parse(" ".join([f'from:"{sender}"', *words, f'in:#"{room}" has:link after:2004 before:2005-02-03']))
    assert typed == SearchText(
        terms=tuple(Term(word) for word in words),
        senders=(sender,),
        rooms=(room,),
        after=ms_from_iso("2004-01-01"),
        before=ms_from_iso("2005-02-03"),
        has=frozenset({"link"}),
    )


@given(date=st.dates())
def test_a_day_lasts_until_the_next(date: object) -> None:
    """And never fails, to the end of the calendar."""
    period = period_of(str(date))
    assert period is None or (period == (ms_from_iso(str(date)), period[0] + 86_400_000))


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2004", "2004-01-01", "2005-01-01"),
        ("2004-12", "2004-12-01", "2005-01-01"),
        ("2004-2", "2004-02-01", "2004-03-01"),
        ("2004-02-29", "2004-02-29", "2004-03-01"),
        ("2004-11-03T10:20:30Z", "2004-11-03T10:20:30Z", "2004-11-03T10:21:00Z"),
        ("2004-11-03 10:20", "2004-11-03T10:20", "2004-11-03T10:21"),
        ("2004-11-03t10:20:00+02:00", "2004-11-03T08:20", "2004-11-03T08:21"),
    ],
)
def test_a_date_is_a_period(text: str, start: str, end: str) -> None:
    """A year, a month, a day, or the rest of a full time's minute."""
    assert period_of(text) == (ms_from_iso(start), ms_from_iso(end))


@pytest.mark.parametrize(
    "text", ["", "noon", "04", "0000", "20041103", "2004-13", "2004-02-30", "2004-11-03T25:00", "9999", "２００４"]
)
def test_what_is_no_date_is_none(text: str) -> None:
    """It is searched as words then."""
    assert period_of(text) is None


@pytest.mark.parametrize(
    ("text", "senders", "rooms"),
    [
        ("from:ada", ("ada",), ()),
        ("FROM:@Ada from:bob", ("Ada", "bob"), ()),
        ('from:"Grace Hopper"', ("Grace Hopper",), ()),
        ('from:@"Grace Hopper"', ("Grace Hopper",), ()),
        ('from:"@Grace Hop', ("Grace Hop",), ()),
        ("in:#general", (), ("general",)),
        ('in:"The Hall"', (), ("The Hall",)),
    ],
)
def test_names_are_typed_as_people_type_them(text: str, senders: tuple[str, ...], rooms: tuple[str, ...]) -> None:
    """With the sign of their kind, in quotes, with the last quote still to come."""
    assert parse(text) == SearchText(senders=senders, rooms=rooms)


@pytest.mark.parametrize(
    "text", ["from:", "from:@", "in:#", "has:pizza", "before:noon", "on:2004-02-30", "https://example.org", "note:this"]
)
def test_what_is_no_operator_is_a_word(text: str) -> None:
    """So a pasted line of a log finds that line."""
    [term] = parse(f"{text} x").terms[:-1]
    assert term == Term(text)


def test_quoted_operators_are_phrases() -> None:
    """Whoever wants to find the operator itself can."""
    assert parse('"from:ada"').terms == (Term("from:ada", "phrase"),)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("kern", ["beginning"]),
        ("kern ", ["word"]),
        ("kern panic", ["word", "beginning"]),
        ("kern* panic ", ["beginning", "word"]),
        ('"kern"', ["phrase"]),
        ("k", ["word"]),
        ("x_k* k*", ["word", "word"]),
        ("c++", ["word"]),
    ],
)
def test_a_word_of_two_letters_may_be_a_beginning(text: str, kinds: list[str]) -> None:
    """The last one while it is typed, and any with a star; one letter would match too much."""
    assert [term.kind for term in parse(text).terms] == kinds


def test_what_is_typed_beyond_any_reason_is_ignored() -> None:
    """Every word costs a look into the index, and a look at each hit; saying it again says nothing new."""
    assert parse("a " * 5_000).terms == (Term("a"),)
    assert [term.text for term in parse(" ".join(f"w{n}" for n in range(100))).terms] == [f"w{n}" for n in range(16)]


def test_of_two_bounds_the_narrower_holds() -> None:
    """Several of one operator narrow dates, and widen people and rooms."""
    typed = parse("after:2004 after:2005 before:2008 before:2007 on:2006 from:a from:b")
    assert (typed.after, typed.before) == (ms_from_iso("2006-01-01"), ms_from_iso("2007-01-01"))
    assert typed.senders == ("a", "b")
