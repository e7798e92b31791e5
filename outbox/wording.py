"""How times, spans and other people's text are put to somebody who reads them in a terminal or a page."""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from campfire.domain.web_addresses import address_shown
from campfire.iso_times import iso_from_ms

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_TIME = re.compile(r"(^|_)(at|until|since|oldest|newest|now)$")


def moment(at_ms: int) -> str:
    """`2026-11-23 20:28:05 UTC`."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def span(ms: float) -> str:
    """`850 ms`, `12 s`, `4 min`, `2 h 13 min`, `3 d 4 h`: the two largest units, the second unless it is nothing."""
    if ms < 1_000:
        return f"{round(ms)} ms"
    left = int(ms // 1_000)
    parts: list[str] = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part)


def many(count: int, thing: str) -> str:
    """`1 event`, `3 events`, `100,000 events`."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def shown(text: str) -> str:
    """Text from outside on one line, without what a terminal would obey or turn around."""
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def addressee(kind: str, name: str | None, url: str) -> str:
    """An endpoint as people know it, without what may be a secret in its address; it may stand in a ticket."""
    address = address_shown(url)
    address = address if address == url else f"{address}?…"
    return shown(f"the bot {name} at {address}" if kind == "bot" else address)


def for_programs(value: Any) -> Any:
    """A struct, or a list of them, as JSON; times as the API writes them."""
    return _with_times(msgspec.to_builtins(value))


def _with_times(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_times(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: iso_from_ms(each) if isinstance(each, int) and _TIME.search(name) else _with_times(each)
        for name, each in value.items()
    }


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
