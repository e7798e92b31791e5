"""Text where there is little room."""

import regex

_GRAPHEME = regex.compile(r"\X")


def shortened(text: str, most: int) -> str:
    """`text`, or what of it fits into `most` characters with an ellipsis, cut between graphemes (UAX #29)."""
    if len(text) <= most:
        return text
    end = 0
    for grapheme in _GRAPHEME.finditer(text):
        if grapheme.end() > most - 1:
            break
        end = grapheme.end()
    return text[:end].rstrip() + "…"
