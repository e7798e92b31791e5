import asyncio

from structlog.testing import capture_logs

from campfire.link_previews.waiting import Waiting


async def next_of(waiting: Waiting) -> str:
    async with waiting.next() as message_id:
        return message_id


async def test_the_oldest_is_dropped_when_there_are_too_many() -> None:
    """And one line of the log says how many."""
    waiting = Waiting(2)
    for number in range(5):
        waiting.put(f"message {number}", frozenset({"example.org"}))
    with capture_logs() as logs:
        assert [await next_of(waiting), await next_of(waiting)] == ["message 3", "message 4"]
    assert [(each["event"], each["messages"]) for each in logs] == [("link_previews_dropped", 3)]


async def test_a_message_that_is_edited_waits_once() -> None:
    """At the end, as it is by then."""
    waiting = Waiting(10)
    for message_id in ("first", "second", "first"):
        waiting.put(message_id, frozenset({"example.org"}))
    assert [await next_of(waiting), await next_of(waiting)] == ["second", "first"]


async def test_a_busy_host_lets_others_go_first() -> None:
    """And comes when it is free again."""
    waiting = Waiting(10)
    waiting.put("slow", frozenset({"slow.example"}))
    waiting.put("slow too", frozenset({"slow.example", "other.example"}))
    waiting.put("quick", frozenset({"quick.example"}))
    async with waiting.next() as first:
        assert first == "slow"
        assert await next_of(waiting) == "quick"
        blocked = asyncio.create_task(next_of(waiting))
        await asyncio.sleep(0)
        assert not blocked.done()
    assert await blocked == "slow too"


async def test_whoever_waits_is_woken() -> None:
    """By what is put there later; all of them, one message each."""
    waiting = Waiting(10)
    workers = [asyncio.create_task(next_of(waiting)) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(3):
        waiting.put(f"{number}", frozenset({f"{number}.example"}))
    assert sorted(await asyncio.gather(*workers)) == ["0", "1", "2"]
