"""Whether a dead and a slow endpoint make the others wait."""

from contextlib import ExitStack
from shutil import copytree, ignore_patterns

from benchmarks.chat_data import Chat, make_chat
from benchmarks.figures import Figure, Row
from benchmarks.outbox_scene import (
    PACED_SENDERS,
    add_webhooks,
    latencies,
    paced_messages,
    require_once,
    until_at_work,
    until_received,
)
from benchmarks.percentiles import percentile_ms
from benchmarks.runs import Runs
from benchmarks.server_process import HOST, bare_server, campfire_server, free_port, outbox_worker

ROW = Row(
    name="outbox_isolation",
    title="p99 of the other endpoints beside a dead and a slow one, over that of a run without them",
    unit="times",
    floor=1.10,
    aim=1.05,
    more_is_better=False,
)

_PAIRS = 3
_DELIVERIES_PER_SECOND = 400
_SINK, _GONE, _LATE = 0, 1, 2


def measure(runs: Runs) -> Figure:
    """Runs without (A) and with (B) the two take turns, since the machine is never the same for long.

    Each begins with a copy of the same data and with a worker of its own. In A the same two addresses answer at once.
    """
    endpoints = runs.effort.endpoints
    ports = [free_port() for _ in (_SINK, _GONE, _LATE)]
    chat = make_chat(runs.new_data(), PACED_SENDERS)
    others = [f"http://{HOST}:{ports[_SINK]}/hook/{number}" for number in range(endpoints - 2)]
    with campfire_server(chat.data) as server:
        troubled = [f"http://{HOST}:{ports[_GONE]}/dead", f"http://{HOST}:{ports[_LATE]}/slow"]
        add_webhooks(server, chat, others[: len(others) // 2] + troubled + others[len(others) // 2 :])
    without: list[int] = []
    beside: list[int] = []
    said: dict[str, float] = {}
    for pair in range(1, _PAIRS + 1):
        for name, all_latencies in (("without", without), ("beside", beside)):
            runs.say(f"isolation, {endpoints} endpoints, {name}, run {pair} of {_PAIRS}")
            found = _run(runs, chat, ports, is_troubled=name == "beside")
            said[f"p99_{name}_{pair}"] = percentile_ms(found, 0.99)
            all_latencies += found
    p99_without, p99_beside = percentile_ms(without, 0.99), percentile_ms(beside, 0.99)
    return ROW.figure(
        p99_beside / p99_without,
        1.0,
        endpoints=endpoints,
        p50_ms_without=percentile_ms(without, 0.5),
        p50_ms_beside=percentile_ms(beside, 0.5),
        p99_ms_without=p99_without,
        p99_ms_beside=p99_beside,
        **said,
    )


def _run(runs: Runs, chat: Chat, ports: list[int], *, is_troubled: bool) -> list[int]:
    """From sending to receipt, over all deliveries to the others. Every one of them must have come, once."""
    data = runs.new_data()
    copytree(chat.data, data, ignore=ignore_patterns("*.sock"))
    with ExitStack() as stack:
        sink = stack.enter_context(bare_server("outbox_sink", str(ports[_SINK])))
        stack.enter_context(bare_server("outbox_sink", str(ports[_LATE]), *(["slowly"] if is_troubled else [])))
        if not is_troubled:
            stack.enter_context(bare_server("outbox_sink", str(ports[_GONE])))
        server = stack.enter_context(campfire_server(data))
        stack.enter_context(outbox_worker(data))
        others = runs.effort.endpoints - 2
        until_at_work(chat, server, sink, others)
        rate = _DELIVERIES_PER_SECOND / runs.effort.endpoints
        sent = paced_messages(runs, chat, server, rate)
        count = (1 + len(sent.sent)) * others
        found = until_received(sink, count)
    require_once(found.receipts, count)
    return latencies(sent.sent, found.receipts, sent.warmup)
