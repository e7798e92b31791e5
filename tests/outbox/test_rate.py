"""How many deliveries a second an endpoint is sent."""

import time

from hypothesis import given
from hypothesis import strategies as st
from outbox_support.serving import Serving
from outbox_support.sink import Sink

from outbox.rate import Bucket, burst


@given(
    rate=st.floats(0.05, 50),
    pauses=st.lists(st.floats(0, 30), min_size=1, max_size=100),
)
def test_no_stretch_of_time_holds_more_than_its_rate_and_one_burst(rate: float, pauses: list[float]) -> None:
    """However unevenly deliveries come; and whoever waits as long as was said gets a token."""
    bucket, now, taken = Bucket(), 1_000.0, list[float]()
    for pause in pauses:
        now += pause
        if not bucket.take(rate, now):
            wait = bucket.wait(now)
            assert wait > 0
            now += wait
            assert bucket.take(rate, now)
        taken.append(now)
    for first, since in enumerate(taken):
        for count, at in enumerate(taken[first:], 1):
            assert count <= burst(rate) + (at - since) * rate + 1e-3


def test_a_changed_rate_is_obeyed_at_once() -> None:
    """Up, down and off."""
    bucket = Bucket()
    assert [bucket.take(2, 0.0) for _ in range(3)] == [True, True, False]
    assert bucket.take(10, 0.1)
    assert not bucket.take(0.1, 0.2)
    assert bucket.take(None, 0.2)


async def test_an_endpoint_is_sent_no_more_than_it_asked_for_and_delays_nobody(serving: Serving, sink: Sink) -> None:
    """A slow bucket is its endpoint's own."""
    other = Sink()
    await other.start()
    await serving.add_webhook(sink.url, rate=4.0)
    await serving.add_webhook(other.url)
    for number in range(8):
        await serving.post(f"message {number}")
    began = time.monotonic()
    serving.start()
    await other.until(8)
    while_limited = len(sink.received)
    await sink.until(8)
    assert time.monotonic() - began >= 1.0, "four at once, and four in the second after"
    assert while_limited < 8
    await other.stop()


async def test_a_limit_that_is_lifted_keeps_nobody_waiting(serving: Serving, sink: Sink) -> None:
    """A change of settings is obeyed while the endpoint waits for its next token."""
    webhook_id = await serving.add_webhook(sink.url, rate=0.001)
    for number in range(3):
        await serving.post(f"message {number}")
    serving.start()
    await serving.until_in_state("delivered", 1)
    assert serving.rows("SELECT COUNT(*) FROM deliveries WHERE state = 'sending'") == [(0,)]
    await serving.change(webhook_id)
    await sink.until(3)
