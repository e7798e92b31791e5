"""What the rows of the outbox share: endpoints made over HTTP, sinks that are asked, the wait for what is durable."""

import http.client
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from benchmarks.bare_poster import PostLoad, PostOutcome
from benchmarks.chat_data import Chat
from benchmarks.load_http import SendLoad
from benchmarks.load_paced import PacedLoad, PacedOutcome
from benchmarks.outbox_sink import Count, Receipt, Receipts
from benchmarks.runs import Runs
from benchmarks.server_process import HOST, BenchmarkFailed, Running, generate

Answer = TypeVar("Answer")

PACED_SENDERS = 16
_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 60.0
"""Without anything new, after which something must be wrong."""


class Caller:
    """Somebody who uses the HTTP API, one request at a time."""

    def __init__(self, server: Running, token: str) -> None:
        self._connection = http.client.HTTPConnection(HOST, server.port, timeout=30)
        self._token = token

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer. Raises `BenchmarkFailed` unless it is a success."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        self._connection.request(method, path, None if body is None else msgspec.json.encode(body), headers)
        response = self._connection.getresponse()
        said = response.read()
        if response.status >= 300:
            raise BenchmarkFailed(f"{method} {path} was answered {response.status}: {said[:600].decode()}")
        return msgspec.json.decode(said) if said else None

    def close(self) -> None:
        self._connection.close()


def call(server: Running, token: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """One request by somebody; see `Caller.call`."""
    caller = Caller(server, token)
    try:
        return caller.call(method, path, body)
    finally:
        caller.close()


def add_webhooks(server: Running, chat: Chat, urls: Sequence[str]) -> None:
    """Have each of `urls` told of every message."""
    caller = Caller(server, chat.tokens[0])
    for url in urls:
        caller.call("POST", "/api/v1/webhooks", {"url": url, "events": ["message.posted"]})
    caller.close()


def url_of(sink: Running, path: str) -> str:
    return f"http://{HOST}:{sink.port}{path}"


def receipts_of(sink: Running) -> Receipts:
    """All that the sink got."""
    return _asked(sink, "/receipts", Receipts)


def until_received(sink: Running, count: int) -> Receipts:
    """Wait until the sink got so many. Raises `BenchmarkFailed` if there is nothing new for a minute."""
    _until(lambda: _asked(sink, "/count", Count).count, count, "requests came to the sink")
    return receipts_of(sink)


def until_durable(data: Path, statement: str, count: int) -> None:
    """Wait until `statement` counts so many in `outbox.db`. Raises `BenchmarkFailed` as above."""
    connection = sqlite3.connect(f"{(data / 'outbox.db').as_uri()}?mode=ro", uri=True)
    try:
        _until(lambda: int(connection.execute(statement).fetchone()[0]), count, "are recorded as done")
    finally:
        connection.close()


def require_once(receipts: Sequence[Receipt], count: int) -> None:
    """Raises `BenchmarkFailed` unless `count` different deliveries came, each once."""
    different = {(receipt.path, receipt.name) for receipt in receipts}
    if len(receipts) != count or len(different) != count:
        raise BenchmarkFailed(f"{count} deliveries were due, {len(receipts)} came, {len(different)} of them different")


def bare_posts(runs: Runs, load: PostLoad) -> PostOutcome:
    """A bare aiohttp client under the same load."""
    runs.say(f"bare client, {len(load.urls)} in flight" if load.rate is None else f"bare client, {load.rate:g}/s")
    return msgspec.json.decode(generate("bare_poster", load), type=PostOutcome)


def until_at_work(chat: Chat, server: Running, sink: Running, count: int) -> None:
    """Wait until `count` endpoints have been told of a first message: the worker has started. It has no stamp."""
    body = {"body": "Is anybody there?", "client_message_id": "first"}
    call(server, chat.tokens[0], "POST", f"/api/v1/rooms/{chat.room_id}/messages", body)
    until_received(sink, count)


def paced_messages(runs: Runs, chat: Chat, server: Running, rate: float) -> PacedOutcome:
    """So many messages a second over HTTP, for the warm-up and the measured seconds."""
    effort = runs.effort
    target = server.target(f"/api/v1/rooms/{chat.room_id}/messages")
    load = SendLoad(target, chat.tokens[:PACED_SENDERS], runs.texts, runs.new_run(), effort.warmup, effort.seconds)
    return msgspec.json.decode(generate("load_paced", PacedLoad(load, rate)), type=PacedOutcome)


def latencies(sent: Sequence[int], receipts: Sequence[Receipt], warmup: int) -> list[int]:
    """Nanoseconds from sending each message to each receipt of it, without the warm-up's."""
    return [receipt.at - sent[receipt.stamp] for receipt in receipts if receipt.stamp >= warmup]


def _until(look: Callable[[], int], count: int, what: str) -> None:
    seen, since = -1, time.monotonic()
    while (now_seen := look()) < count:
        if now_seen != seen:
            seen, since = now_seen, time.monotonic()
        elif time.monotonic() - since > _PATIENCE_SECONDS:
            raise BenchmarkFailed(f"{seen} of {count} {what}, and then no more")
        time.sleep(_LOOK_SECONDS)


def _asked(sink: Running, path: str, answer: type[Answer]) -> Answer:
    connection = http.client.HTTPConnection(HOST, sink.port, timeout=30)
    try:
        connection.request("GET", path)
        return msgspec.json.decode(connection.getresponse().read(), type=answer)
    finally:
        connection.close()
