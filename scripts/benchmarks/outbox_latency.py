"""How long after a message was sent its webhook arrives."""

from benchmarks.bare_poster import PostLoad
from benchmarks.chat_data import make_chat
from benchmarks.figures import Figure, Row
from benchmarks.outbox_scene import (
    PACED_SENDERS,
    add_webhooks,
    bare_posts,
    latencies,
    paced_messages,
    receipts_of,
    require_once,
    until_at_work,
    until_received,
    url_of,
)
from benchmarks.percentiles import percentile_ms
from benchmarks.process_usage import CoreMeter
from benchmarks.runs import Runs
from benchmarks.server_process import BenchmarkFailed, bare_server, campfire_server, outbox_worker

ROW = Row(
    name="outbox_latency",
    title="p99 from sending a message to its webhook's receipt, 200 messages a second",
    unit="ms",
    floor=250,
    aim=50,
    more_is_better=False,
)

_RATE = 200.0


def measure(runs: Runs) -> Figure:
    """The ceiling is a bare aiohttp client that posts the same bytes to the same sink at the same pace."""
    effort = runs.effort
    chat = make_chat(runs.new_data(), PACED_SENDERS)
    with bare_server("outbox_sink") as sink:
        urls = [url_of(sink, "/hook")]
        with campfire_server(chat.data) as server, outbox_worker(chat.data) as worker:
            add_webhooks(server, chat, urls)
            runs.say(f"campfire and its worker, {_RATE:g} messages a second")
            until_at_work(chat, server, sink, 1)
            meter = CoreMeter(worker)
            sent = paced_messages(runs, chat, server, _RATE)
            cores = meter.cores()
            found = until_received(sink, len(sent.sent) + 1)
        require_once(found.receipts, len(sent.sent) + 1)
        measured = latencies(sent.sent, found.receipts, sent.warmup)
        if found.sample is None:
            raise BenchmarkFailed("nothing came to the sink")
        before = len(found.receipts)
        bare = bare_posts(runs, PostLoad(urls, found.sample, round(_RATE * effort.seconds), _RATE))
        bare_measured = latencies(bare.sent, receipts_of(sink).receipts[before:], 0)
    return ROW.figure(
        percentile_ms(measured, 0.99),
        percentile_ms(bare_measured, 0.99),
        p50_ms=percentile_ms(measured, 0.5),
        max_ms=percentile_ms(measured, 1.0),
        bare_p50_ms=percentile_ms(bare_measured, 0.5),
        acknowledged_p50_ms=sent.acknowledged_p50_ms,
        acknowledged_p99_ms=sent.acknowledged_p99_ms,
        worker_cores=cores,
        server_cores=sent.server_cores,
        generator_cores=sent.generator_cores,
    )
