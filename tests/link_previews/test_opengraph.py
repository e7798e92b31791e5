import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from campfire.link_previews.opengraph import (
    MAX_DESCRIPTION,
    MAX_SITE_NAME,
    MAX_TITLE,
    MAX_URL,
    PageFacts,
    decoded,
    read_page,
)

BASE = URL("https://example.org/news/today")
HALF_A_MEGABYTE = 512 * 1024


def read(text: str) -> PageFacts:
    return read_page(text, BASE)


def test_a_page_is_shown_by_its_opengraph() -> None:
    """Whatever else it says of itself."""
    facts = read(
        """<!doctype html><html><head><title>Plain</title><meta name="description" content="plain">
        <meta name="twitter:title" content="Bird"><META Property='og:title' content='Tea &amp; "cake" > coffee'>
        <meta property="og:description" content="About\n  tea"><meta property=og:site_name content=Tea>
        <meta property="og:image" content="/tea.png"><meta property="og:url" content="https://example.org/tea">
        </head><body><meta property="og:title" content="too late"></body></html>"""
    )
    assert facts == PageFacts(
        title='Tea & "cake" > coffee',
        description="About tea",
        site_name="Tea",
        url="https://example.org/tea",
        image="https://example.org/tea.png",
    )


def test_without_opengraph_the_next_best_is_taken() -> None:
    """Twitter's card, then what every page has."""
    card = read(
        '<title>Plain</title><meta name="twitter:title" content="A"><meta name="twitter:image" content="b.gif">'
    )
    assert (card.title, card.image) == ("A", "https://example.org/news/b.gif")
    plain = read('<title>A\n &lt;b&gt;</title><meta name=description content=said><link rel="canonical" href=/c?x=1>')
    assert (plain.title, plain.description, plain.url) == ("A <b>", "said", "https://example.org/c?x=1")


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:image/png;base64,AA", "http://", "//u:p@x/", "//["])
def test_only_web_addresses_are_passed_on(address: str) -> None:
    """A page cannot make a client open anything else."""
    facts = read(f'<meta property="og:url" content="{address}"><meta property="og:image" content="{address}">')
    assert (facts.url, facts.image) == ("", "")


def test_no_page_shows_itself_as_another_sites() -> None:
    """A picture may come from elsewhere; the address that it is shown under may not."""
    lie = '<meta property="og:url" content="https://bank.example/"><meta property="og:image" content="https://cdn.example/x">'
    facts = read(f"{lie}<title>Your bank</title>")
    assert (facts.url, facts.image) == ("", "https://cdn.example/x")


def test_what_is_not_said_by_an_element_is_not_read() -> None:
    """Comments, scripts and pictures say nothing."""
    facts = read(
        '<!-- <title>commented</title> --><script>"<title>scripted</title>"</script>'
        "<svg><title>drawn</title></svg><title>real</title>"
    )
    assert facts.title == "real"


def test_text_is_one_clean_line() -> None:
    """Without control characters, and without those that turn the direction of what stands around it."""
    assert read("<title>\x00a\x1b[31m\u202eb\u2066 c\n\td\x07</title>").title == "a[31mb c d"


@given(st.text("<>!-/\"'= abtimeloghd&#1;\n\x00é"))
def test_any_page_is_read_within_the_limits(text: str) -> None:
    """Nothing that a page can hold raises."""
    facts = read(f'<meta property="og:title" content="{text}{text}">{text}<title>{text}</title>{text}')
    assert len(facts.title) <= MAX_TITLE and len(facts.description) <= MAX_DESCRIPTION
    assert len(facts.site_name) <= MAX_SITE_NAME and max(len(facts.url), len(facts.image)) <= MAX_URL
    assert not {"\n", "\x00"} & set(facts.title)


def test_long_texts_are_cut() -> None:
    """With an ellipsis, so that a reader sees it."""
    facts = read(f'<title>{"x" * 9_000}</title><meta name="description" content="{"y" * 9_000}">')
    assert len(facts.title) == MAX_TITLE and facts.title.endswith("…")
    assert len(facts.description) == MAX_DESCRIPTION


@pytest.mark.parametrize(
    "piece",
    [
        "<!--",
        "<![",
        "<!",
        "<?",
        "<",
        "<a ",
        '<a ="',
        "<a b='",
        "<a = ",
        "<title>",
        "<script>",
        "<meta a ",
        "&#1",
        "<a '\"",
    ],
)
def test_no_page_takes_long_to_read(piece: str) -> None:
    """The standard library needs minutes for some of these; this takes milliseconds."""
    page = piece * (HALF_A_MEGABYTE // len(piece))
    began = time.process_time()
    read(page)
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        ("é".encode(), None),
        ("é".encode("latin-1"), "ISO-8859-1"),
        (b"<meta charset=windows-1252>" + "é".encode("cp1252"), None),
        (b'<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1">' + "é".encode("latin-1"), None),
        ("\ufeffé".encode("utf-16"), None),
        ("é".encode(), "zlib"),
        ("é".encode(), "punycode"),
        ("é".encode(), "no-such-charset"),
    ],
)
def test_a_page_is_read_in_its_own_charset(content: bytes, charset: str | None) -> None:
    """Named by its server or by itself; in UTF-8 otherwise, and never by what is no charset."""
    assert decoded(content, charset).endswith("é")
    assert decoded(b"\xff\xfe\xfd" + content, charset) is not None
