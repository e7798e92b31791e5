"""How many webhooks one worker delivers while many wait."""

import msgspec

from benchmarks.bare_poster import PostLoad
from benchmarks.chat_data import append_messages, make_chat
from benchmarks.figures import Figure, Row
from benchmarks.outbox_scene import add_webhooks, bare_posts, require_once, until_durable, until_received, url_of
from benchmarks.process_usage import CoreMeter
from benchmarks.runs import Runs
from benchmarks.server_process import BenchmarkFailed, bare_server, campfire_server, outbox_worker

ROW = Row(
    name="outbox_deliveries",
    title="webhook deliveries of one worker to 64 endpoints, attempts durable",
    unit="deliveries/s",
    floor=1_000,
    aim=5_000,
    more_is_better=True,
)

_ENDPOINTS = (1, 16, 64)
_DELIVERED = "SELECT COUNT(*) FROM deliveries WHERE state = 'delivered'"


class Drained(msgspec.Struct, frozen=True):
    """Deliveries a second, those of a bare client beside it, and the cores that the worker used."""

    per_second: float
    bare_per_second: float
    worker_cores: float


def measure(runs: Runs) -> Figure:
    """The ceiling is a bare aiohttp client that posts the same bytes to the same sink, as many at a time."""
    drained = {endpoints: _drain(runs, endpoints) for endpoints in _ENDPOINTS}
    details = {
        f"{name}_to_{endpoints}": getattr(each, field)
        for endpoints, each in drained.items()
        for name, field in (("per_second", "per_second"), ("bare", "bare_per_second"), ("worker_cores", "worker_cores"))
    }
    most = drained[_ENDPOINTS[-1]]
    return ROW.figure(most.per_second, most.bare_per_second, deliveries=runs.effort.deliveries, **details)


def _drain(runs: Runs, endpoints: int) -> Drained:
    """Let the worker begin when everything waits; from the first receipt to the last."""
    messages = runs.effort.deliveries // endpoints
    count = messages * endpoints
    chat = make_chat(runs.new_data(), 4)
    with bare_server("outbox_sink") as sink:
        urls = [url_of(sink, f"/hook/{number}") for number in range(endpoints)]
        with campfire_server(chat.data) as server:
            add_webhooks(server, chat, urls)
        append_messages(chat, runs.texts, messages)
        runs.say(f"outbox worker, {count} deliveries to {endpoints} endpoints")
        with outbox_worker(chat.data) as pid:
            until_received(sink, 1)
            meter = CoreMeter(pid)
            found = until_received(sink, count)
            cores = meter.cores()
            until_durable(chat.data, _DELIVERED, count)
        require_once(found.receipts, count)
        if found.sample is None:
            raise BenchmarkFailed("nothing came to the sink")
        seconds = (found.receipts[-1].at - found.receipts[0].at) / 1e9
        bare = bare_posts(runs, PostLoad(urls, found.sample, count))
    return Drained((count - 1) / seconds, bare.per_second, cores)
