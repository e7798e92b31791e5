"""A delivery that keeps failing holds up its room for a quarter of an hour, and no longer."""

import asyncio
import json

from outbox_support.chat import Chat
from outbox_support.lines import Lines
from outbox_support.serving import Serving, bodies, refusing
from outbox_support.sink import Sink

MINUTE_MS = 60_000


async def test_what_keeps_failing_is_passed_after_a_quarter_of_an_hour_and_the_hole_is_marked(
    serving: Serving, sink: Sink
) -> None:
    """What passes it names its sequence, what comes late says so; and the room waited until then."""
    is_broken = True
    refusing(sink, lambda said: is_broken and said == "poison")
    await serving.add_webhook(sink.url)
    serving.start()
    for said in ("before", "poison", "after"):
        await serving.post(said)
    await serving.until("SELECT attempts >= 2 FROM deliveries WHERE sequence = 2")
    assert set(bodies(sink.received)) == {"before", "poison"}
    serving.clock.set_forward(15 * 60)
    await serving.post("later")
    await serving.until_in_state("delivered", 3)
    passed = [each for each in sink.received if json.loads(each.body)["data"]["body"] in ("after", "later")]
    assert [each.headers["campfire-missing"] for each in passed] == ["2", "2"]
    is_broken = False
    await serving.until_in_state("delivered", 4)
    late = sink.received[-1]
    assert bodies([late]) == ["poison"] and late.headers["campfire-late"] == "true"
    await serving.post("in order again")
    await serving.until_in_state("delivered", 5)
    marks = {"campfire-missing", "campfire-late"}
    assert not marks & sink.received[-1].headers.keys() and not marks & sink.received[0].headers.keys()


async def test_another_room_does_not_wait(serving: Serving, sink: Sink) -> None:
    """Only the room of what fails is held up, by default."""
    refusing(sink, lambda said: said == "poison")
    room_id = await serving.add_room("Elsewhere")
    await serving.add_webhook(sink.url)
    serving.start()
    await serving.post("poison")
    await serving.post("behind it")
    await serving.post("elsewhere", room_id)
    await serving.until_in_state("delivered", 1)
    assert "elsewhere" in bodies(sink.received) and "behind it" not in bodies(sink.received)


async def test_a_room_waits_no_longer_than_a_quarter_of_an_hour_for_an_attempt_that_is_hours_away(
    chat: Chat, sink: Sink
) -> None:
    """The schedule may wait for longer than the room does."""
    serving = Serving(chat, schedule=(7200.0,))
    refusing(sink, lambda said: said == "poison")
    await serving.add_webhook(sink.url)
    serving.start()
    try:
        await serving.post("poison")
        await serving.post("behind it")
        await serving.until("SELECT state = 'pending' AND attempts = 1 FROM deliveries WHERE sequence = 1")
        serving.clock.set_forward(15 * 60)
        other_room = await serving.add_room("Elsewhere")
        await serving.post("wakes the endpoint", other_room)
        await serving.until_in_state("delivered", 2)
        assert sorted(bodies(sink.received)) == ["behind it", "poison", "wakes the endpoint"]
    finally:
        await serving.stop()


def test_what_is_due_is_tried_before_it_is_parked() -> None:
    """A worker that was away for hours does not break the order of what it could just send."""
    lines = Lines()
    lines.add_endpoint("e")
    first, second = lines.plan("e", "r", "r")
    claimed = lines.claim("e")
    assert claimed is not None
    lines.end(claimed, ok=False, wait=60)
    lines.now += 600 * MINUTE_MS
    claimed = lines.claim("e")
    assert claimed is not None and claimed.id == first and not claimed.is_late
    lines.end(claimed, ok=False, wait=60)
    assert lines.states([first, second]) == ["pending", "pending"]


def test_a_parked_delivery_is_not_missed_in_another_room_nor_where_nothing_is_in_order() -> None:
    """A hole is a line's own."""
    for ordering, missing in (("room", ()), ("endpoint", (1,))):
        lines = Lines()
        lines.add_endpoint("e", ordering)
        lines.plan("e", "r1")
        lines.now += 1
        claimed = lines.claim("e")
        assert claimed is not None
        lines.now += 15 * MINUTE_MS
        lines.end(claimed, ok=False, wait=3600)
        lines.plan("e", "r2")
        passing = lines.claim("e")
        assert passing is not None and passing.missing == missing


def test_at_most_twenty_are_named() -> None:
    """A header has an end."""
    lines = Lines()
    lines.add_endpoint("e")
    for _ in range(25):
        lines.plan("e", "r")
        claimed = lines.claim("e")
        assert claimed is not None
        lines.now += 15 * MINUTE_MS
        lines.end(claimed, ok=False, wait=36_000)
    lines.plan("e", "r")
    claimed = lines.claim("e")
    assert claimed is not None and claimed.missing == tuple(range(1, 21))


async def test_where_nothing_is_in_order_nothing_waits_and_nothing_is_parked(serving: Serving, sink: Sink) -> None:
    """An endpoint may ask for that."""
    refusing(sink, lambda said: said == "poison")
    await serving.add_webhook(sink.url, ordering="none", concurrency=2)
    serving.start()
    await serving.post("poison")
    await serving.post("behind it")
    async with asyncio.timeout(60):
        await serving.until_in_state("delivered", 1)
    assert "campfire-missing" not in sink.received[-1].headers
