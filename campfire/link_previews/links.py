"""The links in a message's Markdown."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from markdown_it import MarkdownIt
from markdown_it.token import Token
from yarl import URL

MOST_LINKS = 3
"""Of one message that are previewed: the first ones."""
MAX_LINK = 2_000
"""Characters; a longer link is shown, but not previewed."""

_MOST_HOSTS = 10
_BARE = re.compile(r"https?://[^\s<>\"`]+", re.IGNORECASE)
_HOST = re.compile(r"https?://([^\s/?#<>\"`()]+)", re.IGNORECASE)
_CLOSING = {")": "(", "]": "["}


def find_links(body: str) -> list[str]:
    """The first `MOST_LINKS` different http and https links, in order, as the message has them.

    Bare ones, `<https://…>` and `[text](https://…)`; not those in code. Two that differ only in what follows a
    `#` are one. A few hundred milliseconds for text made to be slow, so call it in a thread.
    """
    # Without HTML: a tag is text to us, as it is to the client. Made anew, since its rules are not for two threads.
    markdown = MarkdownIt("commonmark", {"html": False})
    found: dict[URL, str] = {}
    for link in _links(markdown.parse(body)):
        page = _page(link)
        if page is not None:
            found.setdefault(page, link)
        if len(found) == MOST_LINKS:
            break
    return list(found.values())


def hosts_named(body: str) -> frozenset[str]:
    """Hosts that the links could lead to, and perhaps more: found without looking at what is code and what is not.

    The first `_MOST_HOSTS`, so that nobody can keep half of the web from everybody else by naming it.
    """
    return frozenset(found[1].lower() for found in islice(_HOST.finditer(body), _MOST_HOSTS))


def _links(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        within = False
        for child in token.children or ():
            if child.type == "link_open":
                within = True
                yield str(child.attrGet("href") or "")
            elif child.type == "link_close":
                within = False
            elif child.type == "text" and not within:
                yield from map(_without_punctuation, _BARE.findall(child.content))


def _without_punctuation(link: str) -> str:
    """What ends a sentence, or closes a bracket that was opened before it, is not of the link."""
    while link:
        last = link[-1]
        opening = _CLOSING.get(last)
        if last in ".,;:!?'*_~" or (opening is not None and link.count(last) > link.count(opening)):
            link = link[:-1]
        else:
            break
    return link


def _page(link: str) -> URL | None:
    """What the link asks a server for, if it is one that can be previewed."""
    if len(link) > MAX_LINK:
        return None
    try:
        url = URL(link)
        if url.scheme in ("http", "https") and url.host and url.user is None and url.password is None:
            return url.with_fragment(None)
    except ValueError:
        return None
    return None
