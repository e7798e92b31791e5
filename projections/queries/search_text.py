"""What somebody typed into a search, taken apart. Any text is a valid search.

Words, "phrases" and beginnings (`kern*`, and the last word), and the operators `from:NAME`, `in:ROOM`,
`before:DATE`, `after:DATE`, `on:DATE` and `has:THING`. What looks like an operator and is none, or
has a value that means nothing, is searched as words: so a pasted line of a log finds that line.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

import msgspec
from msgspec.structs import replace

from campfire.iso_times import ms_from_iso

Thing = Literal["boost", "file", "image", "link", "thread"]
"""What can be asked of a message with `has:`; an image is a file too."""

_THINGS: tuple[Thing, ...] = get_args(Thing)
_MOST_CHARACTERS = 500
"""What is typed beyond is ignored: every word costs a look into the index."""

MOST_TERMS = 16
"""What else is typed is ignored: marking the hits takes as long as all terms together, and cannot be interrupted."""

_TERM = re.compile(
    r"""(?P<operator>[A-Za-z]+):(?:[@#]?"(?P<quoted>[^"]*)(?:"|\Z)|(?P<value>[^\s"]+))"""
    r"""|"(?P<phrase>[^"]*)"|(?P<word>[^\s"]+)"""
)
_DATE = re.compile(r"([1-9]\d{3})(?:-(\d\d?)(?:-(\d\d?))?)?", re.ASCII)
_TIME = re.compile(r"[1-9]\d{3}-\d\d-\d\d[Tt ]\d.*", re.ASCII)
_MINUTE_MS = 60_000
_BEGINNING = re.compile(r"[^\W_]{2}\Z")
"""Letters that a word needs at its end before it also finds longer ones; one letter matches too much."""


class Term(msgspec.Struct, frozen=True):
    """A text to look for in messages: as whole words next to each other, the last of them perhaps only begun."""

    text: str
    kind: Literal["word", "phrase", "beginning"] = "word"


class SearchText(msgspec.Struct, frozen=True):
    """A message must hold all `terms` and all of `has`; be from one of `senders` and in one of `rooms`, if
    there are any; and be written from `after` to before `before` (milliseconds; dates are in UTC).
    """

    terms: tuple[Term, ...] = ()
    senders: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    after: int | None = None
    before: int | None = None
    has: frozenset[Thing] = frozenset()


def parse(text: str) -> SearchText:
    """Take apart what was typed. Never fails."""
    # FTS5 reads a query up to the first NUL; a lone surrogate cannot be put into UTF-8.
    clean = text[:_MOST_CHARACTERS].replace("\0", " ").encode(errors="replace").decode()
    found = SearchText()
    for match in _TERM.finditer(clean):
        found = _with_operator(found, match) or _with_term(found, match, is_last=match.end() == len(clean))
    return found


def period_of(text: str) -> tuple[int, int] | None:
    """From when to before when a date (YYYY, YYYY-MM, YYYY-MM-DD) or the minute of a full ISO time lasts."""
    try:
        if date := _DATE.fullmatch(text):
            year, month, day = date.groups()
            start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
            return _ms(start), _ms(_end_of(start, months=12 if month is None else 1 if day is None else 0))
        if _TIME.fullmatch(text):
            at = ms_from_iso(text.upper())
            return at, at - at % _MINUTE_MS + _MINUTE_MS
    except (ValueError, OverflowError):
        return None  # looks like a date, but there is none such; the caller then looks for it as a word
    return None


def body_expression(terms: Iterable[Term]) -> str:
    """The terms as an FTS5 query.

    Everything goes in as FTS5 strings, which hold any text and which the index itself splits into
    words, so that the query sees the same words as the messages. One without a letter or digit is
    ignored beside others, and finds nothing alone.
    """
    return " ".join(_quoted(term.text) + ("*" if term.kind == "beginning" else "") for term in terms)


def searched_as_word(operator: str, value: str) -> Term:
    """An operator whose value means nothing."""
    return Term(f"{operator}:{value}")


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _with_operator(found: SearchText, match: re.Match[str]) -> SearchText | None:
    """None if it is no operator, or one without a meaning."""
    understand = _OPERATORS.get((match["operator"] or "").lower())
    value = (match["quoted"] or match["value"] or "").strip()
    return understand(found, value) if understand is not None and value else None


def _with_term(found: SearchText, match: re.Match[str], *, is_last: bool) -> SearchText:
    term = _term(match, is_last)
    if term in found.terms or len(found.terms) >= MOST_TERMS:
        return found
    return replace(found, terms=(*found.terms, term))


def _term(match: re.Match[str], is_last: bool) -> Term:
    if match["phrase"] is not None:
        return Term(match["phrase"], "phrase")
    if match["operator"] is not None:
        return searched_as_word(match["operator"], match["quoted"] or match["value"] or "")
    stem = match["word"].rstrip("*")
    is_begun = is_last or stem != match["word"]
    return Term(stem, "beginning") if is_begun and _BEGINNING.search(stem) else Term(match["word"])


def _from(found: SearchText, value: str) -> SearchText | None:
    name = value.removeprefix("@").strip()
    return replace(found, senders=(*found.senders, name)) if name else None


def _in(found: SearchText, value: str) -> SearchText | None:
    name = value.removeprefix("#").strip()
    return replace(found, rooms=(*found.rooms, name)) if name else None


def _has(found: SearchText, value: str) -> SearchText | None:
    asked = frozenset(thing for thing in _THINGS if thing == value.lower())
    return replace(found, has=found.has | asked) if asked else None


def _after(found: SearchText, value: str) -> SearchText | None:
    period = period_of(value)
    return None if period is None else _from_on(found, period[0])


def _before(found: SearchText, value: str) -> SearchText | None:
    period = period_of(value)
    return None if period is None else _up_to(found, period[0])


def _on(found: SearchText, value: str) -> SearchText | None:
    period = period_of(value)
    return None if period is None else _up_to(_from_on(found, period[0]), period[1])


_OPERATORS: dict[str, Callable[[SearchText, str], SearchText | None]] = {
    "from": _from,
    "in": _in,
    "has": _has,
    "after": _after,
    "before": _before,
    "on": _on,
}


def _from_on(found: SearchText, at: int) -> SearchText:
    return replace(found, after=at if found.after is None else max(at, found.after))


def _up_to(found: SearchText, at: int) -> SearchText:
    return replace(found, before=at if found.before is None else min(at, found.before))


def _end_of(start: datetime, *, months: int) -> datetime:
    """When so many months from the first day of one are over, or the one day for 0."""
    if months == 0:
        return start + timedelta(days=1)
    return start.replace(year=start.year + (start.month - 1 + months) // 12, month=(start.month - 1 + months) % 12 + 1)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
