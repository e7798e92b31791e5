"""Messages without a client of ours: what a body says as plain text, and as HTML that is safe anywhere.

The body stays the source (CommonMark, without HTML, pictures and tables; a line break is one). Both forms
call whom it mentions by their present name.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol
from urllib.parse import quote

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_MOST_DELIMITERS = 500
"""In one body; what comes beyond is taken as it stands. The parser's time grows with their square."""
_MOST_LINES = 500
"""In one body; one of more is taken as it stands."""

_MOST_REMEMBERED = 1_000
"""Characters of a body whose plain text is remembered; a thousand long ones would fill the memory."""

_MARKUP = re.compile(r"[\\`*_\[\]<&~\0\r\t\ud800-\udfff]|^[\s#>+=-]|^\d+[.)]|\s$|\s\Z", re.MULTILINE)
_DELIMITER = re.compile(r"[*_~`\[\]<&\\]")
_URL = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_MAY_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_PRIVATE_PLANE = range(0xF0000, 0xFFFFE)


class Mentioned(Protocol):
    """Somebody mentioned: their present name, and the characters of the body from `start` to before `end`."""

    @property
    def user_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


class _Named(NamedTuple):
    user_id: str
    name: str
    start: int
    end: int


def plain_text(body: str, mentions: Sequence[Mentioned] = ()) -> str:
    """What `body` says without markup: links as their text, code kept, mentions as `@` and the present name."""
    if not mentions and _MARKUP.search(body) is None:  # most messages, at the cost of a look
        return body
    named = _named(mentions)
    if _MARKUP.search(body) is None or body.count("\n") > _MOST_LINES:
        return "".join(_by_name(piece) for piece in _pieces(body, named)).strip()
    return _parsed_text(body, named) if len(body) > _MOST_REMEMBERED else _remembered_text(body, named)


def html_of(body: str, mentions: Sequence[Mentioned] = ()) -> str:
    """`body` as HTML of few tags. Links lead to http, https and mailto only; nothing in it can run.

    Mentions are `<span class="mention" data-user-id="...">@Name</span>`.
    """
    named = _named(mentions)
    is_plain = _MARKUP.search(body) is None and "://" not in body
    if body and (is_plain or body.count("\n") > _MOST_LINES):
        inner = "".join(_marked_up(piece) for piece in _pieces(body, named))
        return f"<p>{inner.replace(chr(10), '<br>' + chr(10))}</p>"
    return _parsed_html(body, named)


class _Source:
    """A body whose mentions are held by marks, so that no markup in a name or beside it is mistaken."""

    def __init__(self, body: str, mentions: Sequence[_Named]) -> None:
        body = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", body)
        unused = (chr(code) for code in _PRIVATE_PLANE if chr(code) not in body)
        self._open, self._close = next(unused), next(unused)
        self._mark = re.compile(f"{self._open}([0-9]+){self._close}")
        encoded = f"{quote(self._open)}([0-9]+){quote(self._close)}"
        self._encoded_mark = re.compile(encoded, re.IGNORECASE)
        self._mentions: list[tuple[str, list[_Named]]] = []
        pieces = []
        for piece in _pieces(body, mentions):
            if isinstance(piece, str):
                pieces.append(piece)
            else:
                pieces.append(f"{self._open}{len(self._mentions)}{self._close}")
                self._mentions.append((body[piece[0].start : piece[0].end], piece))
        self.text = "".join(pieces)

    def as_written(self, text: str) -> str:
        """With the characters that were there."""
        return self._mark.sub(lambda mark: self._mentions[int(mark[1])][0], text)

    def in_address(self, address: str) -> str:
        """The same in an address, where the mark may have been encoded."""
        return self.as_written(
            self._encoded_mark.sub(lambda mark: quote(self._mentions[int(mark[1])][0], safe="/@"), address)
        )

    def by_name(self, text: str) -> str:
        return self._mark.sub(lambda mark: _by_name(self._mentions[int(mark[1])][1]), text)

    def marked_up(self, html: str) -> str:
        return self._mark.sub(lambda mark: _marked_up(self._mentions[int(mark[1])][1]), html)


def _parsed_text(body: str, mentions: tuple[_Named, ...]) -> str:
    source = _Source(body, mentions)
    blocks: list[list[str]] = []
    numbers: list[int | None] = []
    """Of the lists that we are in: the next item's number, None for bullets."""
    lead = ""
    for token in _MARKDOWN.parse(source.text):
        if token.level == 0 and token.nesting >= 0:
            blocks.append([])
        if token.type in ("bullet_list_open", "ordered_list_open"):
            numbers.append(int(token.attrs.get("start", 1)) if token.type == "ordered_list_open" else None)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            numbers.pop()
        elif token.type == "list_item_open":
            number = numbers[-1]
            lead = "• " if number is None else f"{number}. "
            numbers[-1] = None if number is None else number + 1
        elif token.type == "inline":
            blocks[-1].append(lead + _inline_text(token.children or [], source))
            lead = ""
        elif token.type in ("fence", "code_block"):
            blocks[-1].append(lead + source.as_written(token.content).rstrip("\n"))
            lead = ""
    return "\n\n".join("\n".join(lines) for lines in blocks if lines).strip()


_remembered_text = lru_cache(maxsize=1024)(_parsed_text)


def _inline_text(tokens: Iterable[Token], source: _Source) -> str:
    parts = []
    for token in tokens:
        if token.type in ("softbreak", "hardbreak"):
            parts.append("\n")
        elif token.type == "code_inline" or token.meta.get("as_written"):
            parts.append(source.as_written(token.content))
        else:
            parts.append(source.by_name(token.content))
    return "".join(parts)


def _parsed_html(body: str, mentions: tuple[_Named, ...]) -> str:
    source = _Source(body, mentions)
    tokens = _MARKDOWN.parse(source.text)
    for token in _all(tokens):
        token.info = source.as_written(token.info)
        token.attrs = {name: source.in_address(str(value)) for name, value in token.attrs.items()}
        if token.type == "link_open":
            token.attrs["rel"] = "noopener noreferrer"
        if token.type in ("code_inline", "fence", "code_block") or token.meta.get("as_written"):
            token.content = source.as_written(token.content)
    html: str = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    return source.marked_up(html).strip()


def _all(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from token.children or ()


def _parse_inline(state: StateCore) -> None:
    """In the place of the parser's rule of that name: within bounds, and with bare addresses made links."""
    left = _MOST_DELIMITERS
    for token in state.tokens:
        if token.type != "inline":
            continue
        left -= len(_DELIMITER.findall(token.content))
        if left >= 0:
            children: list[Token] = []
            state.md.inline.parse(token.content, state.md, state.env, children)
        else:
            children = [Token("text", "", 0, content=token.content)]
        token.children = list(_with_links(children))


def _with_links(tokens: Iterable[Token]) -> Iterator[Token]:
    """The addresses in running text as links, and in all links that show their address nobody mentioned."""
    inside = leads_somewhere = shows_address = False
    for token in tokens:
        if token.type == "link_open":
            inside, shows_address = True, token.markup == "autolink"
            leads_somewhere = bool(token.attrs.get("href"))
        elif token.type == "link_close":
            inside = False
        if token.tag == "a" and not leads_somewhere:
            continue
        if token.type == "text" and inside:
            token.meta["as_written"] = shows_address
        if token.type == "text" and not inside and "://" in token.content:
            yield from _linked(token.content)
        else:
            yield token


def _linked(text: str) -> Iterator[Token]:
    done = 0
    for found in _URL.finditer(text):
        url = found[0].rstrip(".,;:!?'")
        if url.endswith(")") and "(" not in url:
            url = url.rstrip(")").rstrip(".,;:!?'")
        address = _MARKDOWN.normalizeLink(url)
        if not _MARKDOWN.validateLink(address):
            continue
        yield Token("text", "", 0, content=text[done : found.start()])
        yield Token("link_open", "a", 1, attrs={"href": address}, markup="linkify")
        yield Token("text", "", 0, content=url, meta={"as_written": True})
        yield Token("link_close", "a", -1, markup="linkify")
        done = found.start() + len(url)
    yield Token("text", "", 0, content=text[done:])


def _may_link(address: str) -> bool:
    return _MAY_LINK.match(address) is not None


def _named(mentions: Iterable[Mentioned]) -> tuple[_Named, ...]:
    return tuple(_Named(each.user_id, each.name, each.start, each.end) for each in mentions)


def _pieces(body: str, mentions: Sequence[_Named]) -> Iterator[str | list[_Named]]:
    """The body cut where it mentions somebody; of a place that names several, all of them."""
    places: dict[tuple[int, int], list[_Named]] = {}
    for each in mentions:
        places.setdefault((each.start, each.end), []).append(each)
    done = 0
    for (start, end), people in sorted(places.items()):
        if done <= start < end <= len(body):
            yield body[done:start]
            yield people
            done = end
    yield body[done:]


def _by_name(piece: str | list[_Named]) -> str:
    if isinstance(piece, str):
        return piece
    return ", ".join(dict.fromkeys(f"@{each.name}" for each in piece))


def _marked_up(piece: str | list[_Named]) -> str:
    if isinstance(piece, str):
        return escapeHtml(piece)
    return ", ".join(
        f'<span class="mention" data-user-id="{escapeHtml(each.user_id)}">@{escapeHtml(each.name)}</span>'
        for each in piece
    )


def _parser() -> MarkdownIt:
    parser = MarkdownIt("js-default", {"html": False, "linkify": False, "typographer": False, "breaks": True})
    # Pictures would let whoever wrote a message learn who reads it; tables and references cost too much to parse.
    parser.disable(["image", "table", "reference"])
    parser.core.ruler.at("inline", _parse_inline)
    parser.validateLink = _may_link  # type: ignore[assignment, method-assign]
    return parser


_MARKDOWN = _parser()
