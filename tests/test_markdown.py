"""What a message says without our client, whatever was written."""

from html.parser import HTMLParser
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from campfire import markdown
from campfire.markdown import html_of, plain_text

TAGS = {
    *("p", "br", "strong", "em", "s", "code", "pre", "a", "span", "ul", "ol", "li", "blockquote", "hr"),
    *("h1", "h2", "h3", "h4", "h5", "h6"),
}
ATTRIBUTES = {
    ("a", "href"),
    ("a", "title"),
    ("a", "rel"),
    ("span", "class"),
    ("span", "data-user-id"),
    ("code", "class"),
    ("ol", "start"),
}


class Someone(NamedTuple):
    user_id: str
    name: str
    start: int
    end: int


class Tags(HTMLParser):
    """Collects what a browser would make of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))

    handle_startendtag = handle_starttag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def mention(body: str, named: str, name: str, user_id: str = "u1") -> Someone:
    start = body.index(named)
    return Someone(user_id, name, start, start + len(named))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("hello, world - it's 3.5 (or so)", "hello, world - it's 3.5 (or so)"),
        ("**bold** _and_ ~~gone~~", "bold and gone"),
        ("one\ntwo", "one\ntwo"),
        ("one\n\n\ntwo", "one\n\ntwo"),
        ("`x = *y*`", "x = *y*"),
        ("```py\nx = *y*\n```", "x = *y*"),
        ("[our site](https://example.com/x) <https://a.example>", "our site https://a.example"),
        ("- a\n- b", "• a\n• b"),
        ("3. a\n4. b", "3. a\n4. b"),
        ("> quoted", "quoted"),
        ("<b>x</b>", "<b>x</b>"),
        ("# Title", "Title"),
        ("", ""),
    ],
)
def test_plain_text_is_what_is_said(body: str, says: str) -> None:
    """Without markup; code and what only looks like markup stay."""
    assert plain_text(body) == says


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("a & b\nc", "<p>a &amp; b<br>\nc</p>"),
        ("**bold**", "<p><strong>bold</strong></p>"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ("[x](/rooms/1)", "<p>[x](/rooms/1)</p>"),
        ("[x](mailto:a@b.example)", '<p><a href="mailto:a@b.example" rel="noopener noreferrer">x</a></p>'),
        (
            "see https://a.example/b_c.",
            '<p>see <a href="https://a.example/b_c" rel="noopener noreferrer">https://a.example/b_c</a>.</p>',
        ),
        ("```py\n<x>\n```", '<pre><code class="language-py">&lt;x&gt;\n</code></pre>'),
        ("![x](https://evil.example/p.png)", None),
    ],
)
def test_html_shows_markup_and_runs_nothing(body: str, shown: str | None) -> None:
    """Nor does it fetch anything: a picture becomes a link."""
    html = html_of(body)
    assert shown is None or html == shown
    assert "<img" not in html and "<script" not in html


def test_mentions_are_by_their_present_name() -> None:
    """In text and in HTML; a name is never taken for markup, nor markup for a name."""
    body = "ask @Grace Hopper **now**"
    renamed = [mention(body, "@Grace Hopper", "G_r_a <b>ce")]
    assert plain_text(body, renamed) == "ask @G_r_a <b>ce now"
    assert html_of(body, renamed) == (
        '<p>ask <span class="mention" data-user-id="u1">@G_r_a &lt;b&gt;ce</span> <strong>now</strong></p>'
    )
    assert plain_text("hi @Bob", [mention("hi @Bob", "@Bob", "Robert")]) == "hi @Robert"


def test_a_name_that_several_have_mentions_all_of_them() -> None:
    """Once each, if they are called differently by now."""
    body = "hi @Bob!"
    both = [mention(body, "@Bob", "Bob", "u1"), mention(body, "@Bob", "Bert", "u2")]
    assert plain_text(body, both) == "hi @Bob, @Bert!"
    assert html_of(body, both).count("<span") == 2


def test_addresses_and_code_stay_as_they_were_written() -> None:
    """Also where something in them looks like a mention."""
    body = "`@Ada` https://a.example/@Ada [x](https://a.example/@Ada)"
    places = [place for place in range(len(body)) if body.startswith("@Ada", place)]
    renamed = [Someone("u1", "Renamed", place, place + 4) for place in places]
    assert plain_text(body, renamed) == "@Ada https://a.example/@Ada x"
    html = html_of(body, renamed)
    assert "Renamed" not in html and html.count('href="https://a.example/@Ada"') == 2


def test_what_would_take_long_to_parse_is_taken_as_it_stands() -> None:
    """Thousands of brackets or lines cost no more than a long message."""
    assert plain_text("[" * 10_000) == "[" * 10_000
    assert html_of("x\n" * 5_000).count("<br>") == 5_000
    assert plain_text("*a* " * 2_000).startswith("*a* *a*")


BODIES = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="ab*_`~[]()<>&#!-+.:/\\|\"'= \n\t1@\0\r\ud800\U000f0000\U000f0001", max_size=60),
    st.lists(
        st.sampled_from(
            ["[x](", "javascript:", "https://", "<a href=x>", "](", ")", "```", "\n", "`", "**", "> ", "- ", "<http:",
             '"onclick=x', "a", "@Ada", " ", "1. ", "data:text/html,", "&#x3c;", "<!--", "mailto:", "%F3%B0%80%80"]
        ),
        max_size=15,
    ).map("".join),
)  # fmt: skip
MENTIONS = st.lists(
    st.builds(Someone, st.sampled_from(["u1", '"><b>']), st.sampled_from(["Ada", "<i>*x*"]),
              st.integers(-2, 50), st.integers(-2, 50)),
    max_size=3,
)  # fmt: skip


@given(BODIES, MENTIONS)
@example("[]()", [])
@example("[a](https://x.example '\"><script>')", [])
@example('```"><b>\nx\n```', [])
def test_html_holds_nothing_that_is_not_on_the_list(body: str, mentions: list[Any]) -> None:
    """Whatever is written, no tag or attribute but the known ones, and no address of another kind."""
    for tag, attributes in Tags(html_of(body, mentions)).found:
        assert tag in TAGS
        for name, value in attributes:
            assert (tag, name) in ATTRIBUTES
            if name == "href":
                assert value is not None and value.lower().startswith(("http://", "https://", "mailto:"))
    plain_text(body, mentions)


@given(BODIES, MENTIONS)
def test_the_short_way_says_the_same_as_the_long_one(body: str, mentions: list[Any]) -> None:
    """For a body without markup nobody can tell that it was not parsed."""
    if markdown._MARKUP.search(body) is None:
        named = markdown._named(mentions)
        assert plain_text(body, mentions) == markdown._parsed_text(body, named)
        if "://" not in body and body:
            assert html_of(body, mentions) == markdown._parsed_html(body, named)
