"""Row 36 of the fault table: an endpoint is dead for three days, and then back."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from outbox_support.chat import SECRET
from outbox_support.clocked import ClockedChat, a_clocked_chat
from outbox_support.sink import Received, Sink

from campfire.domain.events import EndpointSettings, NewEvent, WebhookCreated
from outbox.queries import rows_of

HALF_A_DAY = 12 * 3_600
PATIENT = (5.0, 300.0, *(3_600.0,) * 200)
"""A schedule that goes on for more than a week."""
RATE = 15.0
"""Deliveries a second."""


def bodies(received: Sequence[Received], room_id: str) -> list[str]:
    """What a receiver learnt of a room, in the order in which it did; repeats left out."""
    found = [json.loads(each.body)["data"] for each in {each.webhook_id: each for each in received}.values()]
    return [data["body"] for data in found if data["room_id"] == room_id]


async def add_endpoint(scene: ClockedChat, url: str, *, rate: float) -> str:
    """Subscribe `url` to messages, at so many deliveries a second; return its id."""
    engine, webhook_id = scene.engine, scene.engine.new_id()
    created = WebhookCreated(
        at=1,
        webhook_id=webhook_id,
        url=url,
        events=("message.posted",),
        rooms=None,
        sealed_secret=engine.sealer.seal(SECRET),
        by=scene.chat.user_id,
        settings=EndpointSettings(rate=rate),
    )
    await engine.append([NewEvent(webhook_id, 1, created)])
    return webhook_id


def attempts(scene: ClockedChat, endpoint_id: str) -> int:
    """How often something was tried at an endpoint."""
    [(found,)] = rows_of(
        scene.path,
        "SELECT COUNT(*) FROM attempts JOIN deliveries ON deliveries.id = delivery_id WHERE endpoint_id = ?",
        (endpoint_id,),
    )
    return int(found)


async def test_row_36_an_endpoint_that_was_dead_for_three_days_gets_everything_in_order(tmp_path: Path) -> None:
    """Nothing is lost, each room in its order, no faster than its rate, while another endpoint is told at once."""
    dead, alive = Sink(), Sink()
    await dead.start()
    await alive.start()
    port = dead.port
    async with a_clocked_chat(tmp_path / "data", webhook_retry_schedule=PATIENT) as scene:
        rooms = [await scene.chat.add_room("one"), await scene.chat.add_room("two")]
        dead_id = await add_endpoint(scene, dead.url, rate=RATE)
        await scene.chat.add_webhook(alive.url)
        await dead.stop()
        scene.working.start()
        for half_day in range(6):
            for number in range(10):
                await scene.post(f"{half_day}.{number}", rooms[number % 2])
            await alive.until(10 * (half_day + 1))  # while the other one is dead
            tried = half_day + 1
            await scene.until(lambda tried=tried: attempts(scene, dead_id) >= tried)
            scene.advance(HALF_A_DAY)
        assert scene.count("delivered", dead_id) == 0
        began = time.monotonic()
        await dead.start(port)
        scene.advance(HALF_A_DAY)
        await scene.post("back again", rooms[0])
        await scene.until(lambda: scene.count("delivered") == 2 * 61)
        assert time.monotonic() - began >= (61 - 1 - RATE) / RATE, "no more than a second's worth at once"
        for room_id in rooms:
            assert bodies(dead.received, room_id) == bodies(alive.received, room_id)
        assert len(bodies(dead.received, rooms[0])) == 31 and len(bodies(dead.received, rooms[1])) == 30
        assert {each.webhook_id for each in dead.received}.isdisjoint({each.webhook_id for each in alive.received})
        assert len(dead.received) == len(alive.received) == 61, "each once: nothing was repeated"
    await dead.stop()
    await alive.stop()
