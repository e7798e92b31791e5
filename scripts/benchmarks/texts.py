"""What is said: real chat lines where they are at hand, else made ones of about a hundred characters."""

import gzip
import random
from itertools import islice
from pathlib import Path

import msgspec

_DATA = Path("shared") / "data" / "ubuntu-irc.ndjson.gz"
_PLACES = [parent / _DATA for parent in Path(__file__).resolve().parents]
REAL_CHAT = next((place for place in _PLACES if place.exists()), _PLACES[3])
"""Beside the checkout, or beside the directory of worktrees that it is in."""

_WORDS = [
    "the",
    "release",
    "went",
    "out",
    "this",
    "morning",
    "and",
    "nobody",
    "has",
    "complained",
    "yet",
    "so",
    "we",
    "could",
    "look",
    "at",
    "that",
    "search",
    "thing",
    "again",
    "who",
    "has",
    "time",
    "to",
    "read",
    "my",
    "change",
    "before",
    "lunch",
    "otherwise",
    "it",
    "waits",
    "until",
    "tomorrow",
    "thanks",
    "for",
    "checking",
]
_MADE_LENGTH = 100


class _Line(msgspec.Struct):
    kind: str
    body: str = ""


def chat_texts(count: int, source: Path = REAL_CHAT) -> list[str]:
    """`count` message bodies, the same every time; short sources repeat."""
    texts = _real(count, source) if source.exists() else []
    while texts and len(texts) < count:
        texts += texts[: count - len(texts)]
    return texts or _made(count)


def _real(count: int, source: Path) -> list[str]:
    decode = msgspec.json.Decoder(_Line).decode
    with gzip.open(source, "rb") as lines:
        decoded = (decode(line) for line in lines)
        spoken = (
            line.body for line in decoded if line.kind == "message" and line.body.strip() and line.body.isprintable()
        )
        return list(islice(spoken, count))


def _made(count: int) -> list[str]:
    chance = random.Random(count)
    return [_sentence(chance) for _ in range(count)]


def _sentence(chance: random.Random) -> str:
    sentence = chance.choice(_WORDS)
    while len(sentence) < _MADE_LENGTH:
        sentence += " " + chance.choice(_WORDS)
    return sentence
