"""The names that people's files have, made harmless to show, to save and to put into a header."""

import unicodedata
from pathlib import PurePosixPath
from urllib.parse import quote

MAX_FILE_NAME = 200
"""Characters; with four bytes each still far from what a header may hold."""

_NAMELESS = "file"
_MAX_EXTENSION = 20
_REMOVED_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
# Marks, embeddings, overrides and isolates of the Unicode Bidirectional Algorithm (UAX #9 §2): with them
# "gpj.exe" reads as "exe.jpg".
_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ATTR_CHAR = "!#$&+-.^_`|~"
"""What RFC 8187 §3.2.1 leaves as it is, beside letters and digits."""


def clean_file_name(name: str) -> str:
    """The last part of `name`, as a name for a file: 1 to 200 characters on one line, its extension kept.

    Both separators count, wherever the sender's system is from. Control characters, lone surrogates and
    bidi controls are removed; what then has nothing but dots and space is called "file".
    """
    base = name.replace("\\", "/").rpartition("/")[2]
    cleaned = "".join(character for character in base if _may_stay(character)).strip()
    cleaned = _shortened(cleaned).strip()
    return cleaned if cleaned.strip(". ") else _NAMELESS


def content_disposition(name: str, *, inline: bool) -> str:
    """The header's value for a file called `name`, which is cleaned first (RFC 6266 §4.3, Appendix D).

    `filename` is for old clients and pure ASCII; all others take `filename*`, which has the whole name.
    """
    cleaned = clean_file_name(name)
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{_ascii(cleaned)}\"; filename*=UTF-8''{quote(cleaned, safe=_ATTR_CHAR)}"


def _may_stay(character: str) -> bool:
    return character not in _BIDI_CONTROLS and unicodedata.category(character) not in _REMOVED_CATEGORIES


def _shortened(name: str) -> str:
    extension = PurePosixPath(name).suffix
    if len(extension) > _MAX_EXTENSION:
        extension = ""
    return name if len(name) <= MAX_FILE_NAME else name[: MAX_FILE_NAME - len(extension)] + extension


def _ascii(name: str) -> str:
    """A quote or a percent sign could be escaped, but not every client would take it back (RFC 6266 Appendix D)."""
    return "".join(character if " " <= character <= "~" and character not in '"%\\' else "_" for character in name)
