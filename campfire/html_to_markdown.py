"""A bot's HTML as the Markdown that messages are written in: what it says, and the markup that we have too.

Bots of ONCE Campfire answer in HTML, mostly links, emphasis and lists. Nothing of the HTML itself is kept.
"""

import re
from html import unescape

_EMPHASIS = {"b": "**", "strong": "**", "i": "*", "em": "*", "s": "~~", "del": "~~", "strike": "~~", "code": "`"}
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_PARAGRAPHS = frozenset({"p", "ul", "ol", "blockquote", "table", "pre", *_HEADINGS})
_LINES = frozenset({"div", "tr", "section", "article", "header", "footer", "dt", "dd", "figure", "figcaption"})
_UNSEEN = frozenset({"script", "style", "head", "title", "template"})
_DEEPEST = 30
"""Inline elements in one another; those inside are taken without their markup, or reading them would take long."""

_SPACE = re.compile(r"[ \t\r\n\f]+")
_ADDRESS = re.compile(r"(https?://\S+)")
_SPECIAL = re.compile(r"[\\`*\[\]<]|(?<!\w)_|_(?!\w)|~(?=~)")
_MARKED_LINE = re.compile(r"^( ?)([#>+-])(?= )")
_MAY_LINK = re.compile(r"(?:https?://|mailto:)[^\s()<>]+", re.IGNORECASE)
_MANY_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
# The standard library's parser takes time with the square of what it cannot make sense of. This one has
# bounds instead: a tag holds no other, and at most some thousand characters.
_TAG = re.compile(r"<!--|<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})((?:[\s/][^<>]{0,3000})?)>|<![^<>]{0,3000}>")
_ATTRIBUTE = re.compile(r"""\b(href|alt)\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s"']+))""", re.IGNORECASE)


def markdown_of(html: str) -> str:
    """What `html` says, in Markdown. Any text is read in some way; none of it can run."""
    reader = _Reader()
    done = 0
    for tag in _TAG.finditer(html):
        if tag.start() < done:
            continue  # within a comment
        reader.say_words(unescape(html[done : tag.start()]))
        done = tag.end()
        if tag[0] == "<!--":
            end = html.find("-->", done)
            done = len(html) if end < 0 else end + 3
        elif tag[1]:
            reader.end(tag[2].lower())
        elif tag[2]:
            reader.begin(tag[2].lower(), _attributes(tag[3]))
    reader.say_words(unescape(html[done:]))
    return reader.result()


def _attributes(text: str) -> dict[str, str]:
    return {name.lower(): unescape(a or b or c) for name, a, b, c in _ATTRIBUTE.findall(text)}


class _Open:
    """An inline element that has not ended: its tag, the words in it so far, and where a link leads."""

    def __init__(self, tag: str, href: str = "") -> None:
        self.tag = tag
        self.href = href
        self.words: list[str] = []


class _Reader:
    """Told of every tag and of the words between them, in order; then it has the result."""

    def __init__(self) -> None:
        self._inline = [_Open("")]
        self._lists: list[int | None] = []
        """The number of the next item of each list that we are in; None for bullets."""
        self._unseen = 0
        self._preformatted = 0

    def result(self) -> str:
        while len(self._inline) > 1:
            self._end_inline()
        return _MANY_LINES.sub("\n\n", "".join(self._inline[0].words)).strip()

    def begin(self, tag: str, given: dict[str, str]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "br":
            self._say("\n")
        elif tag == "hr":
            self._say("\n\n---\n\n")
        elif tag == "img":
            self._say(_escaped(given.get("alt", "")))
        elif tag == "li":
            self._begin_item()
        elif tag in _PARAGRAPHS or tag in _LINES:
            self._begin_block(tag)
        elif (tag in _EMPHASIS or tag == "a") and not self._preformatted and len(self._inline) <= _DEEPEST:
            self._inline.append(_Open(tag, given.get("href", "")))

    def end(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _PARAGRAPHS or tag in _LINES:
            self._end_block(tag)
        elif any(each.tag == tag for each in self._inline[1:]):
            while self._end_inline() != tag:
                pass

    def say_words(self, said: str) -> None:
        words = _SPACE.sub(" ", said)
        if self._preformatted:
            self._say(said)
        elif any(each.tag == "code" for each in self._inline):
            self._say(words)
        else:
            self._say(_escaped(words.lstrip() if self._is_at_line_start() else words))

    def _begin_block(self, tag: str) -> None:
        self._end_all_inline()
        if tag in ("ul", "ol"):
            self._say("\n" if self._lists else "\n\n")
            self._lists.append(1 if tag == "ol" else None)
            return
        self._say("\n\n" if tag in _PARAGRAPHS and not self._lists else "" if self._is_at_line_start() else "\n")
        self._say(_HEADINGS.get(tag, "> " if tag == "blockquote" else ""))
        if tag == "pre":
            self._preformatted += 1
            self._say("```\n")

    def _end_block(self, tag: str) -> None:
        self._end_all_inline()
        if tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        if tag == "pre" and self._preformatted:
            self._preformatted -= 1
            self._say("\n```")
        self._say("\n\n" if tag in _PARAGRAPHS and not self._lists else "\n")

    def _begin_item(self) -> None:
        self._end_all_inline()
        self._say("" if self._is_at_line_start() else "\n")
        indent = "   " * (len(self._lists) - 1)
        number = self._lists[-1] if self._lists else None
        if number is None:
            self._say(f"{indent}- ")
        else:
            self._lists[-1] = number + 1
            self._say(f"{indent}{number}. ")

    def _end_all_inline(self) -> None:
        while len(self._inline) > 1:
            self._end_inline()

    def _end_inline(self) -> str:
        ended = self._inline.pop()
        self._say(_marked(ended))
        return ended.tag

    def _say(self, words: str) -> None:
        if words and not self._unseen:
            self._inline[-1].words.append(words)

    def _is_at_line_start(self) -> bool:
        said = next((each.words[-1] for each in reversed(self._inline) if each.words), "\n")
        return said.endswith("\n")


def _marked(ended: _Open) -> str:
    """The element's words with its marks around them, and the space at their ends outside of those."""
    words = "".join(ended.words)
    inner = words.strip()
    if not inner:
        return words
    before, after = words[: words.index(inner)], words[words.index(inner) + len(inner) :]
    if ended.tag == "a":
        if inner != ended.href and _MAY_LINK.fullmatch(ended.href):
            inner = f"[{inner}]({ended.href})"
    elif ended.tag != "code" or "`" not in inner:
        inner = f"{_EMPHASIS[ended.tag]}{inner}{_EMPHASIS[ended.tag]}"
    return f"{before}{inner}{after}"


def _escaped(words: str) -> str:
    """Words as themselves, whatever they would mean in Markdown; addresses stay as they are."""
    pieces = _ADDRESS.split(words)
    pieces[::2] = [_SPECIAL.sub(r"\\\g<0>", each) for each in pieces[::2]]
    return _MARKED_LINE.sub(r"\1\\\2", "".join(pieces))
