"""The loads behind the figures. Each runs once in a benchmark, however many rows look at it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Literal

import msgspec

from benchmarks import ceilings
from benchmarks.chat_data import Chat, append_messages, make_chat
from benchmarks.effort import Effort
from benchmarks.large_store import LargeStore, large_store
from benchmarks.load_file import FileLoad, FileOutcome
from benchmarks.load_http import SendLoad, SendOutcome, Target
from benchmarks.load_read import ReadLoad, ReadOutcome
from benchmarks.load_ws import RoomLoad, RoomOutcome
from benchmarks.server_process import BenchmarkFailed, Running, bare_server, campfire_server, generate
from benchmarks.texts import chat_texts

_DIFFERENT_TEXTS = 5_000
_SAMPLED_STATES = 20_000
_PACED_SENDERS = 8
_STORED_TEXTS = 250_000


class Posting(msgspec.Struct, frozen=True):
    """Senders against the real server, with what the log says about it: events a commit, and their states."""

    sent: SendOutcome
    batch: float
    states: list[bytes]


class Runs:
    """Everything is made in `directory`; only the large store is in `kept`, if that is given.

    `say` is told what is going on.
    """

    def __init__(self, effort: Effort, directory: Path, say: Callable[[str], None], kept: Path | None = None) -> None:
        self.effort = effort
        self.directory = directory
        self._kept = kept or directory
        self.say = say
        self._number = count(1)

    @cached_property
    def texts(self) -> list[str]:
        return chat_texts(min(_DIFFERENT_TEXTS, self.effort.events))

    @cached_property
    def posting(self) -> Posting:
        """All senders, as fast as they are acknowledged."""
        return self._post(self.effort.senders)

    @cached_property
    def single_posting(self) -> Posting:
        """One sender, one message at a time."""
        return self._post(1)

    @cached_property
    def bare_posting(self) -> SendOutcome:
        """The same load on a bare aiohttp handler."""
        return self._post_bare("bare_server", self.effort.senders)

    @cached_property
    def bare_single_posting(self) -> SendOutcome:
        return self._post_bare("bare_server", 1)

    @cached_property
    def generator_alone(self) -> SendOutcome:
        """The same load on a server that does nothing: what the generator itself can do."""
        return self._post_bare("null_server", self.effort.senders)

    @cached_property
    def saturated_room(self) -> tuple[RoomOutcome, float]:
        """A full room with as much talk as everybody receives, and the events a commit."""
        with self._chat_server(max(self.effort.members, self.effort.senders)) as (chat, server):
            outcome = self._room(chat, server, "saturate")
            return outcome, ceilings.mean_batch(chat.data / "events.db", outcome.acknowledged_in_all // 2)

    @cached_property
    def paced_room(self) -> RoomOutcome:
        with self._chat_server(self.effort.members) as (chat, server):
            return self._room(chat, server, "paced")

    @cached_property
    def idle_room(self) -> RoomOutcome:
        with self._chat_server(self.effort.members) as (chat, server):
            return self._room(chat, server, "idle")

    def bare_room(self, mode: Literal["saturate", "paced", "idle"]) -> RoomOutcome:
        """The same room on a bare aiohttp loop."""
        self.say(f"bare WebSockets, {self.effort.members} members, {mode}")
        with bare_server("bare_server") as server:
            tokens = ["none"] * self.effort.members
            return _received(self._room_load(server.target("/fan-out"), tokens, mode))

    def bare_commits(self, batch: float, states: list[bytes]) -> ceilings.Commits:
        """Bare SQLite, as many events a commit."""
        size = max(1, round(batch))
        self.say(f"bare SQLite, {size} events a commit")
        path = self.directory / f"bare-{next(self._number)}.db"
        return ceilings.bare_commits(path, size, min(self.effort.seconds, 4.0), states)

    @cached_property
    def filled_chat(self) -> Chat:
        """A data directory with a history, and no server on it."""
        self.say(f"appending {self.effort.events} messages")
        chat = make_chat(self.new_data(), self.effort.senders)
        append_messages(chat, self.texts, self.effort.events)
        return chat

    @cached_property
    def reading(self) -> ReadOutcome:
        """One reader in a store of many years."""
        store = self._large_store()
        with campfire_server(store.chat.data) as server:
            self.say(f"reading {self.effort.messages} messages")
            load = ReadLoad(server.target("/health/live"), store, self.effort.samples)
            outcome = msgspec.json.decode(generate("load_read", load), type=ReadOutcome)
        if (outcome.paged, outcome.first) != (store.standing, store.first):
            raise BenchmarkFailed(f"{store.standing} messages could be paged through, {outcome.paged} were met")
        return outcome

    def _large_store(self) -> LargeStore:
        texts = chat_texts(min(_STORED_TEXTS, self.effort.messages))
        return large_store(self._kept, self.effort.messages, texts, self.say)

    @cached_property
    def large_file(self) -> FileOutcome:
        """One large file there and back."""
        chat = make_chat(self.new_data(), 1)
        with campfire_server(chat.data, UPLOAD_LIMIT_MB=str(self.effort.upload_mb)) as server:
            self.say(f"campfire, a file of {self.effort.upload_mb} MB")
            return self._send_file(server.target("/api/v1/uploads?name=large.bin"), chat.tokens[0])

    @cached_property
    def bare_large_file(self) -> FileOutcome:
        """The same file at a bare aiohttp handler that forgets it, and back from one that knows the file."""
        with bare_server("bare_server") as server:
            self.say(f"bare server, a file of {self.effort.upload_mb} MB")
            return self._send_file(server.target("/swallow"), "none")

    def _send_file(self, target: Target, token: str) -> FileOutcome:
        load = FileLoad(target, token, self.effort.upload_mb * 1_000_000)
        return msgspec.json.decode(generate("load_file", load), type=FileOutcome)

    def _post(self, senders: int) -> Posting:
        with self._chat_server(self.effort.senders) as (chat, server):
            self.say(f"campfire, {senders} senders")
            sent = _sent(self._send_load(server.target(_messages(chat)), chat.tokens[:senders]))
            events_path = chat.data / "events.db"
            kept = ceilings.count_messages(events_path)
            if kept < sent.acknowledged_in_all:
                raise BenchmarkFailed(f"{sent.acknowledged_in_all} messages were acknowledged, the log has {kept}")
            batch = ceilings.mean_batch(events_path, sent.acknowledged)
            return Posting(sent, batch, ceilings.stored_states(events_path, _SAMPLED_STATES))

    def _post_bare(self, module: str, senders: int) -> SendOutcome:
        self.say(f"{module.replace('_', ' ')}, {senders} senders")
        with bare_server(module) as server:
            return _sent(self._send_load(server.target("/parse"), ["none"] * senders))

    def _room(self, chat: Chat, server: Running, mode: Literal["saturate", "paced", "idle"]) -> RoomOutcome:
        self.say(f"campfire, WebSockets of {self.effort.members} members, {mode}")
        return _received(self._room_load(server.target(_messages(chat)), chat.tokens, mode))

    def _send_load(self, target: Target, tokens: list[str]) -> SendLoad:
        effort = self.effort
        return SendLoad(target, tokens, self.texts, self.new_run(), effort.warmup, effort.seconds)

    def _room_load(self, target: Target, tokens: list[str], mode: Literal["saturate", "paced", "idle"]) -> RoomLoad:
        # The paced run sends one at a time; the other senders stand by in case an answer is late.
        senders = _PACED_SENDERS if mode == "paced" else self.effort.senders
        load = self._send_load(target, tokens[:senders])
        if mode == "paced":
            load = msgspec.structs.replace(load, seconds=self.effort.paced_seconds)
        return RoomLoad(load, tokens[: self.effort.members], mode)

    @contextmanager
    def _chat_server(self, people: int) -> Iterator[tuple[Chat, Running]]:
        self.say(f"making a chat of {people} people")
        chat = make_chat(self.new_data(), people)
        with campfire_server(chat.data) as server:
            yield chat, server

    def new_run(self) -> str:
        """A name that makes the ids of one load's messages unique."""
        return f"run-{next(self._number)}"

    def new_data(self) -> Path:
        """A place for a data directory that nobody else uses."""
        return self.directory / f"data-{next(self._number)}"


def _messages(chat: Chat) -> str:
    return f"/api/v1/rooms/{chat.room_id}/messages"


def _sent(load: SendLoad) -> SendOutcome:
    return msgspec.json.decode(generate("load_http", load), type=SendOutcome)


def _received(load: RoomLoad) -> RoomOutcome:
    return msgspec.json.decode(generate("load_ws", load), type=RoomOutcome)
