"""What administrators see of deliveries, and what they do about dead letters."""

from typing import TYPE_CHECKING, Any

import pytest
from outbox_support.planted import plant_dead_letters

from campfire.domain.events import DeliveriesDropped, DeliveryReplayRequested

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client

NO_SUCH = "00000000-0000-4000-8000-000000000000"


async def letters_of(chat: "Chat", ada: "Client", count: int) -> tuple[str, list[str]]:
    """A webhook with so many dead letters."""
    wanted = {"url": "https://hooks.example.com/in", "events": ["message.posted"]}
    webhook_id = (await ada.post("/api/v1/webhooks", wanted)).json["id"]
    path = chat.engine.settings.outbox_path
    return webhook_id, await plant_dead_letters(path, webhook_id, count, url=wanted["url"])


def last_event(chat: "Chat") -> Any:
    [recorded] = chat.engine.reader.read(chat.engine.position - 1)
    return recorded.event


async def test_the_history_of_a_webhook_comes_page_by_page(chat: "Chat", ada: "Client") -> None:
    """The last first, with attempts and the last status; `before` the last sequence is the next page."""
    webhook_id, ids = await letters_of(chat, ada, 5)
    path = f"/api/v1/webhooks/{webhook_id}/deliveries"
    first = (await ada.get(f"{path}?limit=3")).json["deliveries"]
    rest = (await ada.get(f"{path}?limit=3&before={first[-1]['sequence']}")).json["deliveries"]
    assert [each["id"] for each in first + rest] == ids[::-1]
    assert {(each["state"], each["attempt_count"], each["status"]) for each in first} == {("dead", 1, 500)}
    assert first[0]["next_attempt_at"] is None and first[0]["finished_at"] == "1970-01-01T00:00:01.005Z"
    assert (await ada.get(f"{path}?state=delivered")).json["deliveries"] == []
    assert len((await ada.get(f"{path}?state=dead")).json["deliveries"]) == 5
    assert (await ada.get(f"{path}?state=lost")).code == "VALIDATION_FAILED"


async def test_one_delivery_comes_with_its_attempts_and_its_story(chat: "Chat", ada: "Client") -> None:
    """What the receiver said as text, durations, and the sentences of `campfire-outbox explain`."""
    webhook_id, ids = await letters_of(chat, ada, 2)
    found = (await ada.get(f"/api/v1/webhooks/{webhook_id}/deliveries/{ids[1]}")).json
    assert (found["sequence"], found["previous_id"], found["state"]) == (2, ids[0], "dead")
    [attempt] = found["attempts"]
    assert (attempt["status"], attempt["duration_ms"], attempt["excerpt"]) == (500, 102, r"not \x1b[31mtoday")
    assert any("It was given up" in sentence for sentence in found["explanation"])
    other_id, others = await letters_of(chat, ada, 1)
    for path in (f"{webhook_id}/deliveries/{others[0]}", f"{other_id}/deliveries/msg_unknown"):
        assert (await ada.get(f"/api/v1/webhooks/{path}")).code == "DELIVERY_NOT_FOUND"
    assert (await ada.get(f"/api/v1/webhooks/{NO_SUCH}/deliveries")).code == "WEBHOOK_NOT_FOUND"


async def test_dead_letters_are_listed_and_counted(chat: "Chat", ada: "Client") -> None:
    """Those chosen, in the order they died; counts by webhook and class are of all of them."""
    webhook_id, ids = await letters_of(chat, ada, 5)
    found = (await ada.get(f"/api/v1/dead-letters?webhook_id={webhook_id}&limit=2")).json
    assert [each["id"] for each in found["dead_letters"]] == ids[:2]
    assert {each["failure_class"]: each["count"] for each in found["counts"]} == {"status": 3, "timeout": 2}
    only = (await ada.get("/api/v1/dead-letters?failure_class=timeout&since=1970-01-01T00:00:01.004Z")).json
    assert [each["id"] for each in only["dead_letters"]] == [ids[3]]
    assert (await ada.get("/api/v1/dead-letters?until=never")).code == "VALIDATION_FAILED"


async def test_a_replay_is_counted_first_then_put_on_record_once(chat: "Chat", ada: "Client") -> None:
    """A dry run changes nothing; the request names what it chooses, and the same again is a duplicate."""
    webhook_id, _ = await letters_of(chat, ada, 5)
    wanted = {"webhook_id": webhook_id, "first": 2, "last": 4}
    before = chat.engine.position
    dry = await ada.post("/api/v1/dead-letters/replay", {**wanted, "dry_run": True})
    assert (dry.status, dry.json["count"], dry.json["position"], chat.engine.position) == (200, 3, None, before)
    first = await ada.post("/api/v1/dead-letters/replay", wanted)
    event = last_event(chat)
    second = await ada.post("/api/v1/dead-letters/replay", wanted)
    assert first.status == second.status == 202 and first.json["id"] == second.json["id"]
    assert (first.json["duplicate"], second.json["duplicate"]) == (False, True)
    assert chat.engine.position == before + 1 == first.json["position"]
    assert isinstance(event, DeliveryReplayRequested)
    assert (event.webhook_id, event.first, event.last, event.upto) == (webhook_id, 2, 4, 1_004)


async def test_dropping_takes_a_reason_which_goes_on_record(chat: "Chat", ada: "Client") -> None:
    """Without one it is refused."""
    _, ids = await letters_of(chat, ada, 2)
    assert (await ada.post("/api/v1/dead-letters/drop", {"deliveries": ids})).code == "VALIDATION_FAILED"
    dropped = await ada.post("/api/v1/dead-letters/drop", {"deliveries": ids[:1], "reason": "sent by hand"})
    assert (dropped.status, dropped.json["count"]) == (202, 1)
    event = last_event(chat)
    assert isinstance(event, DeliveriesDropped) and (event.deliveries, event.reason) == ((ids[0],), "sent by hand")


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({}, "VALIDATION_FAILED"),
        ({"first": 1}, "VALIDATION_FAILED"),
        ({"since": "yesterday"}, "VALIDATION_FAILED"),
        ({"deliveries": ["msg_unknown"]}, "DELIVERY_NOT_FOUND"),
    ],
)
async def test_a_choice_that_means_nothing_is_refused(
    chat: "Chat", ada: "Client", wanted: dict[str, Any], code: str
) -> None:
    """Everything has to be asked for by name, and nothing is recorded."""
    await letters_of(chat, ada, 1)
    before = chat.engine.position
    assert (await ada.post("/api/v1/dead-letters/replay", wanted)).code == code
    assert chat.engine.position == before
