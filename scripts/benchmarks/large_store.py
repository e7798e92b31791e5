"""A data directory with a large history, made in bulk along the log's own recorder, or kept from an earlier run."""

import re
import shutil
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import msgspec

from benchmarks.chat_data import Chat, append_messages, make_chat
from benchmarks.large_history import YEARS_MS, LargeHistory
from campfire.clock import SystemClock
from campfire.config import Settings
from campfire.eventlog.codec import EventCodec
from campfire.eventlog.reader import LogReader
from campfire.eventlog.recorder import SQLiteLogRecorder
from projections.projector import Projector
from projections.rebuild import beside, rebuild_beside, swap_in

_SHAPE = 1
"""Raise it when `large_history` makes another history: kept stores of the old one are then made anew."""
_EVENTS_AT_ONCE = 5_000
_PEOPLE = 300
_LIVE = 2_000
"""Messages of the end that come in small batches, as a server writes them, and not by a rebuild."""
_WORD = re.compile(r"[a-z]{4,}")
_PROBES = 100


class Probes(msgspec.Struct, frozen=True):
    """What to search for in this history."""

    common: list[str]
    rare: list[str]
    lines: list[str]
    """What somebody said: at least three words."""


class LargeStore(msgspec.Struct, frozen=True):
    """A large history, and what is known of it. Times in milliseconds."""

    chat: Chat
    messages: int
    standing: int
    """Messages of the largest room that can be paged through."""
    first: str
    long_thread: str
    room_names: list[str]
    began: int
    ended: int
    probes: Probes


def large_store(directory: Path, messages: int, texts: list[str], say: Callable[[str], None]) -> LargeStore:
    """The store of so many messages in `directory`, made there unless it is there already."""
    place = directory / f"large-{messages}"
    manifest = place / "store.json"
    kept = _kept(manifest, place / "data")
    if kept is None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700)
        kept = _made(place / "data", messages, texts, say)
        manifest.write_bytes(msgspec.json.encode((_SHAPE, kept), enc_hook=str))
    else:
        say(f"taking the store kept in {place}")
        if _is_outdated(kept.chat.data):
            say("rebuilding its read models, which are of another version")
            _project(kept.chat.data)
    return kept


def _kept(manifest: Path, data: Path) -> LargeStore | None:
    """What was kept, wherever it was made: a store may be moved."""
    if not manifest.exists():
        return None
    try:
        shape, store = msgspec.json.decode(manifest.read_bytes(), type=tuple[int, LargeStore], dec_hook=_path)
    except msgspec.DecodeError:
        return None  # another version of this benchmark wrote it
    if shape != _SHAPE:
        return None
    return msgspec.structs.replace(store, chat=msgspec.structs.replace(store.chat, data=data))


def _path(kind: type[Path], text: str) -> Path:
    return kind(text)


def _made(data: Path, messages: int, texts: list[str], say: Callable[[str], None]) -> LargeStore:
    chat = make_chat(data, min(_PEOPLE, max(4, messages // 10)))
    live = min(_LIVE, messages // 2)
    history = LargeHistory(chat, texts, messages - live, end := SystemClock().now_ms())
    say(f"recording {messages} messages")
    _record(data, history)
    say("projecting them")
    _project(data)
    append_messages(chat, texts, live)
    return LargeStore(
        chat=chat,
        messages=messages,
        standing=history.standing + live,
        first=history.first,
        long_thread=history.long_thread,
        room_names=[room.name for room in history.rooms if room.name and chat.user_ids[0] in room.members],
        began=end - YEARS_MS,
        ended=end,
        probes=_probes(texts),
    )


def _record(data: Path, history: LargeHistory) -> None:
    recorder = SQLiteLogRecorder(Settings(data=data).events_path)
    codec = EventCodec()
    facts = history.facts(recorder.tip.position)

    while page := [codec.to_stored(*fact) for fact in islice(facts, _EVENTS_AT_ONCE)]:
        recorder.append(page)
    recorder.checkpoint()
    recorder.close()


def _project(data: Path) -> None:
    """From the log into a new file, as a rebuild does it, which is faster than batch by batch."""
    settings = Settings(data=data)
    reader = LogReader(settings.events_path)
    new = beside(settings.read_models_path)
    rebuild_beside(reader, new).close()
    swap_in(new, settings.read_models_path)
    reader.close()


def _is_outdated(data: Path) -> bool:
    projector = Projector(Settings(data=data).read_models_path)
    projector.open()
    try:
        return bool(projector.needs_rebuild())
    finally:
        projector.close()


def _probes(texts: list[str]) -> Probes:
    words = Counter(word for text in texts for word in _WORD.findall(text.lower()))
    by_count = [word for word, _ in words.most_common()]
    lines = [text for text in texts if len(_WORD.findall(text.lower())) >= 3]
    return Probes(by_count[:20], by_count[-_PROBES:], lines[:: max(1, len(lines) // _PROBES)][:_PROBES])
