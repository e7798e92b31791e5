"""One person who reads: opens rooms, pages back through all of the largest one, searches; one request at a time.

Runs as a process of its own (`python -m benchmarks.load_read`): a `ReadLoad` as JSON on stdin, a
`ReadOutcome` as JSON on stdout. A time is from sending the request to having the whole answer; what is
in the answer is looked at outside of it.
"""

import gc
import random
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode

import msgspec

from benchmarks.large_history import MARKER
from benchmarks.large_store import LargeStore
from benchmarks.load_http import Target
from benchmarks.percentiles import percentile_ms
from benchmarks.process_usage import cpu_nanoseconds

PAGE = 50
_DEEP_PAGES = 20
_DAY_MS = 86_400_000


class ReadLoad(msgspec.Struct, frozen=True):
    """What to read, `samples` times each. `target.path` is what answers without doing anything."""

    target: Target
    store: LargeStore
    samples: int


class Reading(msgspec.Struct, frozen=True):
    """How long one kind of question took."""

    name: str
    count: int
    p50_ms: float
    p95_ms: float
    max_ms: float
    cpu_ms: float
    """Processor time of the server, at the median: what p50 would be on a machine that does nothing else."""


class ReadOutcome(msgspec.Struct, frozen=True):
    """`nothing` is the answer that costs the server nothing; `paged` counts the messages met on the way back."""

    nothing: Reading
    readings: list[Reading]
    paged: int
    first: str
    """The id of the message at which paging back ended."""


class WrongAnswer(Exception):
    """The server answered with something other than what was asked for."""


class Reader:
    """A connection, and how long each kind of question took on it."""

    def __init__(self, load: ReadLoad) -> None:
        self._connection = HTTPConnection(load.target.host, load.target.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {load.store.chat.tokens[0]}"}
        self._times: dict[str, list[tuple[int, int]]] = {}
        self._spent: list[tuple[int, int]] = []
        self._pid = load.target.pid

    def get(self, path: str, **query: Any) -> Any:
        """Ask without keeping the time. Raises `WrongAnswer`."""
        address = f"{path}?{urlencode(query)}" if query else path
        used = cpu_nanoseconds(self._pid)
        began = time.monotonic_ns()
        self._connection.request("GET", address, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        elapsed = time.monotonic_ns() - began
        self._spent.append((elapsed, cpu_nanoseconds(self._pid) - used))
        if answer.status != 200:
            raise WrongAnswer(f"{address} was answered with {answer.status}: {body[:300].decode(errors='replace')}")
        return msgspec.json.decode(body)

    def ask(self, kind: str, path: str, **query: Any) -> Any:
        """Ask, and keep the time under `kind`."""
        found = self.get(path, **query)
        self._times.setdefault(kind, []).append(self._spent[-1])
        return found

    def together(self, kind: str, questions: int) -> None:
        """Keep the time of the last `questions` as one."""
        times, used = zip(*self._spent[-questions:], strict=True)
        self._times.setdefault(kind, []).append((sum(times), sum(used)))

    def readings(self) -> list[Reading]:
        return [
            _reading(kind, [time for time, _ in spent], [used for _, used in spent])
            for kind, spent in self._times.items()
        ]


def _reading(kind: str, times: list[int], used: list[int]) -> Reading:
    p50, p95, highest = (percentile_ms(times, share) for share in (0.5, 0.95, 1.0))
    return Reading(kind, len(times), p50, p95, highest, percentile_ms(used, 0.5))


def read(load: ReadLoad) -> ReadOutcome:
    """Ask everything and say how long it took. Raises `WrongAnswer`."""
    reader, chance = Reader(load), random.Random(load.samples)
    for _ in range(load.samples):
        reader.ask("nothing", load.target.path)
    _open_rooms(reader, load, chance)
    met = _page_back(reader, load)
    _from_anywhere(reader, load, chance, met)
    for kind, order, text in _searches(load, chance):
        _search(reader, f"search {kind}, {order}", load.samples, order, text)
    _deep_pages(reader, load)
    nothing, *readings = reader.readings()
    return ReadOutcome(nothing, readings, len(met), met[-1])


def _open_rooms(reader: Reader, load: ReadLoad, chance: random.Random) -> None:
    rooms = [room["id"] for room in reader.get("/api/v1/rooms")["rooms"]]
    for number in range(load.samples):
        reader.ask("room list", "/api/v1/rooms")
        room_id = load.store.chat.room_id if number % 2 else chance.choice(rooms)
        reader.ask("newest page", f"/api/v1/rooms/{room_id}/messages", limit=PAGE)
        reader.together("open a room", 2)


def _page_back(reader: Reader, load: ReadLoad) -> list[str]:
    """From the newest message of the largest room to the first; return their ids in that order."""
    path = f"/api/v1/rooms/{load.store.chat.room_id}/messages"
    page = reader.get(path, limit=PAGE)["messages"]
    met: list[str] = []
    while page:
        met += [message["id"] for message in reversed(page)]
        page = reader.ask("page back", path, limit=PAGE, before=met[-1])["messages"]
    if len(set(met)) < len(met):
        raise WrongAnswer("paging back met a message twice")
    return met


def _from_anywhere(reader: Reader, load: ReadLoad, chance: random.Random, met: list[str]) -> None:
    store = load.store
    room = f"/api/v1/rooms/{store.chat.room_id}"
    for _ in range(load.samples):
        reader.ask("around a message", f"{room}/messages", limit=PAGE, around=chance.choice(met))
        at = _iso(chance.randrange(store.began, store.ended))
        reader.ask("from a date", f"{room}/messages", **{"limit": PAGE, "from": at})
        reader.ask("from the first", f"{room}/messages", **{"limit": PAGE, "from": "first"})
        reader.ask("one message", f"/api/v1/messages/{chance.choice(met)}")
        reader.ask("pins", f"{room}/pins")
        reader.ask("saved", "/api/v1/saved")
    thread = f"/api/v1/messages/{store.long_thread}/thread"
    for _ in range(load.samples):
        page = reader.ask("thread, newest page", thread, limit=PAGE)["messages"]
        if page:
            reader.ask("thread, page back", thread, limit=PAGE, before=page[0]["id"])


def _searches(load: ReadLoad, chance: random.Random) -> Iterator[tuple[str, str, Callable[[], str]]]:
    """Kind, order, and what gives another text of that kind each time."""
    probes, names = load.store.probes, load.store.room_names
    people = len(load.store.chat.user_ids)

    def words(count: int) -> str:
        line = chance.choice(probes.lines).split()
        start = chance.randrange(max(1, len(line) - count + 1))
        return " ".join(word.replace('"', "") for word in line[start : start + count])

    def common() -> str:
        return chance.choice(probes.common)

    def day() -> str:
        return _iso(chance.randrange(load.store.began + _DAY_MS, load.store.ended - _DAY_MS))[:10]

    kinds: dict[str, Callable[[], str]] = {
        "rare word": lambda: chance.choice(probes.rare),
        "marked word": lambda: MARKER,
        "common word": common,
        "two common words": lambda: " ".join(chance.sample(probes.common, min(2, len(probes.common)))),
        "two words": lambda: words(2),
        "phrase": lambda: f'"{words(3)}"',
        "beginning": lambda: f"{common()[:3]}*",
        "from:": lambda: f'from:"Person {chance.randrange(people)}" {common()}',
        "from: alone": lambda: f'from:"Person {chance.randrange(people)}"',
        "in:": lambda: f'in:"{chance.choice(names)}" {common()}',
        "before:": lambda: f"before:{day()} {common()}",
        "after:": lambda: f"after:{day()} {common()}",
        "on:": lambda: f"on:{day()} {common()}",
        "has:link": lambda: f"has:link {common()}",
        "has:image": lambda: f"has:image {common()}",
        "has:boost": lambda: f"has:boost {common()}",
        "has:thread": lambda: f"has:thread {common()}",
        "has:boost alone": lambda: "has:boost",
        "no hit": lambda: f"{common()} xyzzyplugh",
    }
    for kind, text in kinds.items():
        for order in ("newest", "relevance"):
            yield kind, order, text


def _search(reader: Reader, kind: str, samples: int, order: str, text: Callable[[], str]) -> None:
    for _ in range(samples):
        reader.ask(kind, "/api/v1/search", q=text(), order=order, limit=PAGE)


def _deep_pages(reader: Reader, load: ReadLoad) -> None:
    for order in ("newest", "relevance"):
        for number in range(max(1, load.samples // _DEEP_PAGES)):
            word = load.store.probes.common[number % len(load.store.probes.common)]
            query: dict[str, Any] = {"q": word, "order": order, "limit": PAGE}
            following = reader.get("/api/v1/search", **query)["next"]
            for _ in range(_DEEP_PAGES):
                if following is not None:
                    page = reader.ask(f"search deep pages, {order}", "/api/v1/search", before=following, **query)
                    following = page["next"]


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def main() -> None:
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=ReadLoad, dec_hook=lambda kind, text: kind(text))
    gc.disable()  # a collection in the generator would show up as the server's latency
    try:
        outcome = read(load)
    except (WrongAnswer, OSError, HTTPException) as error:
        sys.exit(str(error) or type(error).__name__)
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
