"""Reading what a receiver says: never more than is wanted, and nothing that could harm whoever looks at it."""

import unicodedata
from typing import NamedTuple

import aiohttp

from outbox.timings import now_watching

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's categories of what is not seen and may change what is: controls, directions, halves of characters."""


class Body(NamedTuple):
    """What was read of a response's body. `broken` is why there is not more, if the connection ended before it did."""

    content: bytes
    is_whole: bool
    broken: str | None = None


async def read_at_most(response: aiohttp.ClientResponse, most: int) -> Body:
    """The body's first `most` bytes; if there may be more, the connection is closed."""
    content = bytearray()
    watch = now_watching.get()
    while len(content) < most:
        try:
            more = await response.content.read(most - len(content))
        except (aiohttp.ClientError, OSError) as error:
            return Body(bytes(content), False, type(error).__name__)
        if not more:
            return Body(bytes(content), True)
        content += more
        if watch is not None:
            watch.bytes_read += len(more)
    is_whole = response.content.at_eof()
    if not is_whole:
        response.close()  # the connection is not worth keeping for what nobody wants
    return Body(bytes(content), is_whole)


def harmless(text: str, most: int = 500) -> str:
    """At most `most` characters of `text`, on one line, with everything unseen escaped; may stand anywhere."""
    return "".join(_escaped(character) for character in text[:most])


def readable(excerpt: bytes) -> str:
    """An excerpt for a terminal or a page: as UTF-8, line breaks and tabs kept, everything else unseen escaped."""
    text = excerpt.decode(errors="backslashreplace")
    return "".join(character if character in "\n\t" else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else character.encode("ascii", "backslashreplace").decode()
