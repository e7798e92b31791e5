"""Avatars for people who have not given a picture: their initials on a colour of their own."""

import hashlib
from html import escape

import regex

# White on each of them has a contrast of at least 4.5:1 (WCAG 2.2, 1.4.3).
PALETTE = (
    "#b3261e",
    "#a63d00",
    "#8a5300",
    "#5c6b00",
    "#2e7031",
    "#00705c",
    "#006a8e",
    "#1f5fbf",
    "#4a51c4",
    "#7040b8",
    "#96359b",
    "#b02a67",
)

_GRAPHEME = regex.compile(r"\X")
_NOT_SHOWN = regex.compile(r"[\p{Cc}\p{Cs}\p{Cn}\p{Co}]+|^[\p{P}\p{Z}\p{Cf}\p{M}]+")
_MAX_CODE_POINTS = 16
"""Of one grapheme: enough for every emoji, too few for a tower of accents."""


def initials_svg(name: str, seed: str) -> str:
    """An SVG document with the initials of `name`; the same `seed` always has the same colour.

    Initials are the first graphemes of the first and the last word; a name without any has a question
    mark. It refers to nothing and runs nothing.
    """
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 128 128" role="img">'
        f'<rect width="128" height="128" fill="{_colour(seed)}"/>'
        '<text x="64" y="64" fill="#ffffff" font-family="system-ui, sans-serif" font-size="56" font-weight="600"'
        ' text-anchor="middle" dominant-baseline="central">'
        f"{escape(initials(name))}</text></svg>"
    )


def initials(name: str) -> str:
    """One or two graphemes, in capitals where the script has them; "?" if the name has nothing to show."""
    words = [shown for word in name.split() if (shown := _NOT_SHOWN.sub("", word))]
    if not words:
        return "?"
    ends = words[:1] if len(words) == 1 else [words[0], words[-1]]
    return "".join(_first_grapheme(word) for word in ends)


def _first_grapheme(word: str) -> str:
    found = _GRAPHEME.match(word)
    grapheme = found.group()[:_MAX_CODE_POINTS] if found else ""
    capital = grapheme.upper()
    return capital if len(capital) == len(grapheme) else grapheme  # "ß" would become two letters


def _colour(seed: str) -> str:
    return PALETTE[int.from_bytes(hashlib.sha256(seed.encode()).digest()) % len(PALETTE)]
