"""Bots' HTML, read as Markdown."""

import time

import pytest

from campfire.html_to_markdown import markdown_of
from campfire.markdown import plain_text


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("Hello", "Hello"),
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("One<br>Two", "One\nTwo"),
        ("<div>One</div><div>Two</div>", "One\nTwo"),
        ("a <b>bold </b>word", "a **bold** word"),
        ("<strong>x</strong> <em>y</em> <del>z</del>", "**x** *y* ~~z~~"),
        ("<b></b>nothing", "nothing"),
        ('see <a href="https://example.com/a_b">the page</a>', "see [the page](https://example.com/a_b)"),
        ('<a href="https://example.com">https://example.com</a>', "https://example.com"),
        ('<a href="javascript:alert(1)">harmless</a>', "harmless"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("<ol><li>one</li><li>two</li></ol>", "1. one\n2. two"),
        ("<h2>Title</h2>text", "## Title\n\ntext"),
        ("<pre>a  b\n  c</pre>", "```\na  b\n  c\n```"),
        ("run <code>a_b*c</code>", "run `a_b*c`"),
        ("<script>alert(1)</script>safe<style>p {}</style>", "safe"),
        ("fish &amp; chips &lt;3", "fish & chips \\<3"),
        ("2 * 3 snake_case _x_", "2 \\* 3 snake_case \\_x\\_"),
        ('<img src="https://example.com/x.png" alt="a cat">', "a cat"),
        ("<i>never closed", "*never closed*"),
        ("</p></b>stray", "stray"),
        ("<!-- a note -->seen<!-- never ended", "seen"),
        ("a < b <", "a \\< b \\<"),
        ("<A HREF='https://example.com/?a=1&amp;b=2'>x</A>", "[x](https://example.com/?a=1&b=2)"),
        ("", ""),
    ],
)
def test_html_is_read_as_the_markdown_that_says_the_same(html: str, markdown: str) -> None:
    """Links, emphasis, lists and code stay; what could run does not."""
    assert markdown_of(html) == markdown


@pytest.mark.parametrize("words", ["*", "2 * 3 * 4", "a_b _c_", "[x](y)", "`tick`", "# not a title", "1 &lt; 2"])
def test_words_stay_words(words: str) -> None:
    """A bot's text says the same, whatever its characters mean in Markdown."""
    assert plain_text(markdown_of(f"<p>{words}</p>")) == words.replace("&lt;", "<")


@pytest.mark.parametrize(
    "piece", ["<b>x", "<", "<!--", "<a href='", "</", "<li>", "&#", "<ul>", "<![CDATA[", " ", "\n", "<pre>\n "]
)
def test_no_text_takes_long(piece: str) -> None:
    """Whatever a bot sends, others are called meanwhile."""
    began = time.process_time()
    markdown_of(piece * (131_072 // len(piece)))
    assert time.process_time() - began < 10  # seconds; each takes well under one
