"""What a page says of itself in its head: OpenGraph, Twitter cards, or plain HTML.

The scanner is our own because `html.parser` takes minutes for half a megabyte that was made to be slow, and
raises what it does not document. This one looks at each character a constant number of times: a construct
that never ends ends the page, as it does in the HTML standard.
"""

import codecs
import html
import re
import unicodedata
from collections.abc import Iterator
from encodings.aliases import aliases

import msgspec
from yarl import URL

MAX_TITLE = 200
MAX_DESCRIPTION = 500
MAX_SITE_NAME = 100
MAX_URL = 2_000
_MAX_VALUE = 4_000
"""Characters; `html.unescape` cannot be trusted with numbers of any length."""
_META_SEEN = 1_024
"""Bytes in which a page has to name its charset (HTML 13.2.3.2)."""

_CHARSETS = frozenset(
    (
        *("utf_8", "cp1252", "iso8859_2", "iso8859_5", "iso8859_7", "iso8859_9", "iso8859_15", "cp1250", "cp1251"),
        *("cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "koi8_r", "koi8_u", "shift_jis", "euc_jp"),
        *("iso2022_jp", "euc_kr", "gbk", "gb2312", "gb18030", "big5", "utf_16", "utf_16_le", "utf_16_be"),
    )
)
"""By Python's names. Of its other codecs some take quadratic time, and some are no charsets."""
_AS_BROWSERS_DO = {"ascii": "cp1252", "latin_1": "cp1252"}
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)

# Possessive, so that nothing is looked at again when a tag does not end.
_START_TAG = re.compile(r"<([a-zA-Z][^\s/>]*+)((?:[^>=]++|=\s*+\"[^\"]*+\"|=\s*+'[^']*+'|=)*+)>")
_ATTRIBUTE = re.compile(r"([^\s\"'>/=]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'>]++)))?+")
_RAW_TEXT = {
    name: re.compile(rf"</{name}\b", re.IGNORECASE)
    for name in ("script", "style", "title", "noscript", "template", "textarea", "svg", "iframe")
}
_NO_ELEMENT = ("!", "?", "/")
"""What follows `<` in a comment or declaration, in XML's leftovers, and in an end tag."""
# Characters that turn the reading direction of what follows them: a title could disguise its surroundings.
_TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class PageFacts(msgspec.Struct, frozen=True):
    """Clean text, each within its limit; "" where the page says nothing. `url` and `image` are http(s), whole."""

    title: str = ""
    description: str = ""
    site_name: str = ""
    url: str = ""
    image: str = ""


def decoded(content: bytes, charset: str | None) -> str:
    """The text of a page; `charset` is what its Content-Type says. Raises nothing: what fits nowhere is replaced."""
    for bom, name in _BOMS:
        if content.startswith(bom):
            return content.decode(name, "replace")
    meta = _META_CHARSET.search(content[:_META_SEEN])
    named = [charset] if charset else []
    named += [meta[1].decode("ascii", "replace")] if meta else []
    for label in named:
        codec = _codec(label)
        if codec is not None:
            return content.decode(codec, "replace")
    return content.decode("utf-8", "replace")


def read_page(text: str, base: URL) -> PageFacts:
    """What the page at `base` says of itself. Linear in the length of `text`."""
    said: dict[str, str] = {}
    for name, value in _statements(text):
        if value:
            said.setdefault(name, value)

    def first(*names: str) -> str:
        return next((said[name] for name in names if name in said), "")

    return PageFacts(
        title=cleaned(first("og:title", "twitter:title", "title"), MAX_TITLE),
        description=cleaned(first("og:description", "twitter:description", "description"), MAX_DESCRIPTION),
        site_name=cleaned(first("og:site_name", "application-name"), MAX_SITE_NAME),
        url=_of_the_same_host(_absolute(first("og:url", "canonical"), base), base),
        image=_absolute(first("og:image:secure_url", "og:image", "og:image:url", "twitter:image"), base),
    )


def cleaned(text: str, limit: int) -> str:
    """One line without control characters, at most `limit` characters, an ellipsis where it was cut."""
    kept = "".join(
        character
        for character in " ".join(text.split())
        if unicodedata.category(character) not in ("Cc", "Cs", "Co") and character not in _TURNING
    ).strip()
    return kept if len(kept) <= limit else kept[: limit - 1].rstrip() + "…"


def _codec(label: str) -> str | None:
    # Not by `codecs.lookup`, which remembers every name that it was ever asked for.
    name = label.strip().strip("\"'").lower().replace("-", "_")
    name = aliases.get(name, name)
    name = _AS_BROWSERS_DO.get(name, name)
    return name if name in _CHARSETS else None


def _statements(text: str) -> Iterator[tuple[str, str]]:
    """What meta elements, the title and the canonical link say, by lower-case name, in order."""
    for tag, attributes, content in _elements(text):
        if tag == "title":
            yield "title", html.unescape(content[:_MAX_VALUE])
        elif tag == "meta":
            given = _attributes(attributes)
            yield (given.get("property") or given.get("name") or "").strip().lower(), given.get("content", "").strip()
        elif tag == "link":
            given = _attributes(attributes)
            if "canonical" in given.get("rel", "").lower().split():
                yield "canonical", given.get("href", "").strip()


def _elements(text: str) -> Iterator[tuple[str, str, str]]:
    """Start tags of the head in order: name, the text of their attributes, and content if it is raw text."""
    place = 0
    while (start := text.find("<", place)) >= 0:
        mark = text[start + 1 : start + 2]
        if mark in _NO_ELEMENT:
            if text[start : start + 6].lower() == "</head":
                return
            place = _after_markup(text, start)
        elif not (mark.isascii() and mark.isalpha()):
            place = start + 1  # a character like any other
        else:
            element = _element_at(text, start)
            if element is None or element[0] == "body":
                return
            yield element[:3]
            place = element[3]


def _after_markup(text: str, start: int) -> int:
    """Where a comment, a declaration or an end tag that begins at `start` ends; with the text if it does not."""
    end = "-->" if text.startswith("<!--", start) else ">"
    found = text.find(end, start + len(end))
    return len(text) if found < 0 else found + len(end)


def _element_at(text: str, start: int) -> tuple[str, str, str, int] | None:
    """As `_elements` yields it, and where to go on; None for one that does not end."""
    tag = _START_TAG.match(text, start)
    if tag is None:
        return None
    name = tag[1].lower()
    if name not in _RAW_TEXT:
        return name, tag[2], "", tag.end()
    end = _RAW_TEXT[name].search(text, tag.end())
    return None if end is None else (name, tag[2], text[tag.end() : end.start()], end.start())


def _attributes(text: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(text):
        given.setdefault(name.lower(), html.unescape((double or single or bare)[:_MAX_VALUE]))
    return given


def _of_the_same_host(address: str, base: URL) -> str:
    """The address, or "" if it is another site's: no page may show itself as somebody else's."""
    return address if address and URL(address).host == base.host else ""


def _absolute(address: str, base: URL) -> str:
    """An http or https address seen from the page, or "" for all else."""
    if not address or len(address) > MAX_URL:
        return ""
    try:
        url = base.join(URL(address))
        if url.scheme not in ("http", "https") or not url.host or url.user is not None or url.password is not None:
            return ""
        written = str(url)
    except ValueError:
        return ""
    return written if len(written) <= MAX_URL else ""
