"""A receiver and its stream: a real server, a real worker beside it, and a receiver over real sockets."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web
from outbox_support.sink import Sink
from outbox_support.stream import until_true
from outbox_support.worker_process import WorkerProcess
from standardwebhooks import Webhook

from campfire import notices
from campfire.domain.events import WebhookCursorMoved
from campfire.domain.ids import ADMINISTRATORS_ROOM
from campfire.iso_times import iso_from_ms
from outbox import stream
from outbox.queries import rows_of

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client, OpenChat, Reply

SECONDS = 60
NO_SUCH = "00000000-0000-4000-8000-000000000000"


class Endpoint:
    """A webhook, and its receiver's way to pull."""

    def __init__(self, chat: "Chat", made: dict[str, Any]) -> None:
        self.id = str(made["id"])
        self.secret = made["secret"]
        self.key = str(made["pull_key"])
        self.path = f"/api/v1/endpoints/{self.id}"
        self.client = chat.with_token(self.key)

    async def page(self, query: str = "") -> Any:
        reply = await self.client.get(f"{self.path}/events{query}")
        assert reply.status == 200, reply.text
        return reply.json

    async def all_of(self, count: int) -> list[dict[str, Any]]:
        """The stream from its beginning, once it has so many deliveries."""
        async with asyncio.timeout(SECONDS):
            while len(events := (await self.page("?limit=500"))["events"]) < count:
                await self.page(f"?after={len(events)}&wait=5")
        assert len(events) == count
        return list(events)


class Scene:
    """A server that may reach loopback, its administrator, and a receiver."""

    def __init__(self, chat: "Chat", ada: "Client", sink: Sink) -> None:
        self.chat = chat
        self.ada = ada
        self.sink = sink
        self.outbox = chat.engine.settings.outbox_path

    async def endpoint(self, **wanted: Any) -> Endpoint:
        reply = await self.ada.post("/api/v1/webhooks", {"url": self.sink.url, "events": ["message.posted"], **wanted})
        assert reply.status == 201, reply.text
        return Endpoint(self.chat, reply.json)

    async def post(self, *bodies: str, room: str | None = None) -> list[str]:
        ids = []
        for body in bodies:
            reply = await self.ada.post(f"/api/v1/rooms/{room or self.chat.first_room}/messages", {"body": body})
            assert reply.status == 201, reply.text
            ids.append(str(reply.json["id"]))
        return ids

    def change_outbox(self, statement: str) -> None:
        """As the worker might have left it."""
        connection = sqlite3.connect(self.outbox)
        with connection:
            connection.execute(statement)
        connection.close()


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    sink = Sink()
    await sink.start()
    yield sink
    await sink.stop()


@pytest.fixture
async def scene(open_chat: "OpenChat", sink: Sink) -> AsyncIterator[Scene]:
    async with open_chat(webhook_allow=(ip_network("127.0.0.0/8"),)) as chat:
        yield Scene(chat, await chat.set_up(), sink)


@pytest.fixture
def worker(scene: Scene, tmp_path: Path) -> Iterator[WorkerProcess]:
    process = WorkerProcess(tmp_path / "data", CAMPFIRE_WEBHOOK_RETRY_SCHEDULE="0.05", CAMPFIRE_WEBHOOK_TIMEOUT="5")
    process.start()
    yield process
    process.end()


def data_of(events: list[dict[str, Any]]) -> list[Any]:
    return [event["body"]["data"] for event in events]


async def test_what_is_pulled_is_what_was_pushed(scene: Scene, worker: WorkerProcess) -> None:
    """Byte for byte, in the stream's order and under the same ids; what is pushed bears the official signature."""
    endpoint = await scene.endpoint()
    await scene.post("one", "zwei 👋", "three", "four")
    await scene.sink.until(4)
    reply = await endpoint.client.get(f"{endpoint.path}/events")
    pulled = reply.json["events"]
    pushed = {received.webhook_id: received for received in scene.sink.received}
    assert len(pulled) == len(pushed) == 4
    for event in pulled:
        received = pushed[event["id"]]
        assert Webhook(endpoint.secret).verify(received.body, received.headers) == event["body"]
        assert b'"body":%b}' % received.body in reply.text.encode()


async def test_a_receiver_can_prove_that_nothing_is_missing(scene: Scene, worker: WorkerProcess) -> None:
    """Numbers without a hole from 1, each delivery with the id of the one before it, inside what is signed."""
    endpoint = await scene.endpoint()
    await scene.post("one", "two", "three")
    await scene.sink.until(3)
    bodies = [msgspec.json.decode(received.body) for received in scene.sink.received]
    ids = [received.webhook_id for received in scene.sink.received]
    assert [body["sequence"] for body in bodies] == [1, 2, 3]
    assert [body["previous_id"] for body in bodies] == [None, *ids[:2]]
    events = await endpoint.all_of(3)
    assert [(event["id"], event["body"]) for event in events] == list(zip(ids, bodies, strict=True))


async def test_a_stream_is_read_page_by_page(scene: Scene, worker: WorkerProcess) -> None:
    """Each page says where the next begins; beyond the end there is an empty one."""
    endpoint = await scene.endpoint()
    await scene.post(*"abcde")
    events = await endpoint.all_of(5)
    first = await endpoint.page("?limit=2")
    assert (first["events"], first["next"], first["has_more"], first["sequence"]) == (events[:2], 2, True, 5)
    second = await endpoint.page("?after=2&limit=3")
    assert (second["events"], second["next"], second["has_more"]) == (events[2:], 5, False)
    for after in (5, 99):
        beyond = await endpoint.page(f"?after={after}")
        assert (beyond["events"], beyond["next"], beyond["has_more"]) == ([], after, False)
    assert beyond["planned_upto"] > 0


async def test_a_page_of_long_texts_is_a_short_one(
    scene: Scene, worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that there is more, and nothing is left out between two pages."""
    endpoint = await scene.endpoint()
    await scene.post("x" * 5000, "y", "z" * 5000)
    events = await endpoint.all_of(3)
    monkeypatch.setattr(stream, "MOST_BYTES", 5000)
    first = await endpoint.page()
    assert (first["events"], first["next"], first["has_more"]) == (events[:1], 1, True)
    rest = await endpoint.page("?after=1")
    assert (rest["events"], rest["has_more"]) == (events[1:], False)


async def test_a_deleted_message_leaves_its_place(scene: Scene, worker: WorkerProcess) -> None:
    """Whoever pulls later gets a tombstone with the same id and number, and not a word of what was said."""
    endpoint = await scene.endpoint(events=["message.posted", "message.edited"])
    kept, gone = await scene.post("stays", "swordfish")
    await scene.ada.patch(f"/api/v1/messages/{gone}", {"body": "swordfish again"})
    before = await endpoint.all_of(3)
    assert (await scene.ada.delete(f"/api/v1/messages/{gone}")).status == 204
    after = await endpoint.all_of(3)
    assert after[0] == before[0] and after[0]["body"]["data"]["id"] == kept
    tombstone = {"id": gone, "room_id": scene.chat.first_room, "withdrawn": "deleted"}
    for was, is_ in zip(before[1:], after[1:], strict=True):
        assert is_["body"]["data"] == tombstone
        assert is_ == {"id": was["id"], "body": {**was["body"], "data": tombstone}}


async def test_what_was_cancelled_leaves_its_place(scene: Scene, worker: WorkerProcess) -> None:
    """So that no number is missing; it says that it was withdrawn, and by nobody's deletion."""
    endpoint = await scene.endpoint()
    message, _ = await scene.post("never sent", "sent")
    before = await endpoint.all_of(2)
    worker.end()
    scene.change_outbox("UPDATE deliveries SET state = 'cancelled' WHERE sequence = 1")
    first, second = await endpoint.all_of(2)
    data = {"id": message, "room_id": scene.chat.first_room, "withdrawn": "cancelled"}
    assert first == {"id": before[0]["id"], "body": {**before[0]["body"], "data": data}}
    assert second == before[1]


async def test_what_is_about_to_be_sent_again_is_no_tombstone(scene: Scene, worker: WorkerProcess) -> None:
    """A move takes out of the line what it is about to put back; a receiver that pulls meanwhile reads it all."""
    endpoint = await scene.endpoint()
    await scene.post("one", "two", "three")
    before = await endpoint.all_of(3)
    positions = [event["body"]["position"] for event in before]
    worker.end()
    scene.change_outbox("UPDATE deliveries SET state = 'cancelled'")
    scene.change_outbox(f"UPDATE endpoints SET cursor = {positions[0]}, leap_from = {positions[1]}, leap_to = 1 << 40")
    first, second, third = await endpoint.all_of(3)
    assert second == before[1]
    assert [data["withdrawn"] for data in data_of([first, third])] == ["cancelled", "cancelled"]
    assert (await endpoint.page())["planned_upto"] == positions[0]


async def test_a_room_that_an_endpoint_lost_is_not_pulled_either(scene: Scene, worker: WorkerProcess) -> None:
    """Today's rooms decide, also of what happened before."""
    other = (await scene.ada.post("/api/v1/rooms", {"name": "Den", "kind": "closed"})).json["id"]
    endpoint = await scene.endpoint()
    await scene.post("here")
    await scene.post("swordfish", room=other)
    assert [data["body"] for data in data_of(await endpoint.all_of(2))] == ["here", "swordfish"]
    reply = await scene.ada.patch(f"/api/v1/webhooks/{endpoint.id}", {"rooms": [scene.chat.first_room]})
    assert reply.status == 200
    here, there = data_of(await endpoint.all_of(2))
    assert here["body"] == "here"
    assert there["withdrawn"] == "cancelled" and "body" not in there


async def test_what_an_endpoint_does_not_want_any_more_is_not_pulled_either(
    scene: Scene, worker: WorkerProcess
) -> None:
    """Types of events and what is of no room, as they would not be pushed; a test stays a test."""
    endpoint = await scene.endpoint(events=["message.posted", "user.created", "room.created"])
    await scene.post("here")
    await scene.chat.joined("Bob")
    assert (await scene.ada.post(f"/api/v1/webhooks/{endpoint.id}/test")).status == 202
    before = [event["body"]["type"] for event in await endpoint.all_of(3)]
    assert before == ["message.posted", "user.created", "webhook.tested"]
    wanted: dict[str, Any] = {"events": ["user.created"]}
    assert (await scene.ada.patch(f"/api/v1/webhooks/{endpoint.id}", wanted)).status == 200
    assert ["withdrawn" in data for data in data_of(await endpoint.all_of(3))] == [True, False, False]
    wanted = {"events": ["message.posted", "user.created"], "rooms": [scene.chat.first_room]}
    assert (await scene.ada.patch(f"/api/v1/webhooks/{endpoint.id}", wanted)).status == 200
    assert ["withdrawn" in data for data in data_of(await endpoint.all_of(3))] == [False, True, False]


async def test_the_administrators_room_is_lost_by_wanting_every_room(scene: Scene, worker: WorkerProcess) -> None:
    """Who named it was told of it; who wants all the others since is not, neither by a retry nor by pulling."""
    refusals: list[bytes] = []

    async def refuse(request: web.Request) -> web.StreamResponse:
        refusals.append(await request.read())
        return web.Response(status=503, headers={"Retry-After": "1"})

    scene.sink.answer = refuse
    await notices.post(scene.chat.engine, "this makes the room", "test/1")
    endpoint = await scene.endpoint(rooms=[ADMINISTRATORS_ROOM])
    await notices.post(scene.chat.engine, "for administrators", "test/2")
    await until_true(lambda: bool(refusals))
    assert (await scene.ada.patch(f"/api/v1/webhooks/{endpoint.id}", {"rooms": None})).status == 200
    await until_true(lambda: rows_of(scene.outbox, "SELECT state FROM deliveries") == [("cancelled",)])
    [kept] = data_of(await endpoint.all_of(1))
    assert (kept["room_id"], kept["withdrawn"]) == (ADMINISTRATORS_ROOM, "cancelled") and "body" not in kept


async def test_a_paused_endpoint_can_still_pull(scene: Scene, worker: WorkerProcess) -> None:
    """A receiver that asked for silence fetches at its own time."""
    endpoint = await scene.endpoint()
    assert (await scene.ada.post(f"/api/v1/webhooks/{endpoint.id}/pause")).json["state"] == "paused"
    await scene.post("fetched")
    assert [data["body"] for data in data_of(await endpoint.all_of(1))] == ["fetched"]


async def test_nothing_is_there_before_the_worker_has_run(scene: Scene) -> None:
    """An empty stream that says how far it reaches: nowhere; administrators may look too."""
    endpoint = await scene.endpoint()
    await scene.post("waits")
    nothing = {"events": [], "next": 0, "has_more": False, "sequence": 0, "planned_upto": 0}
    assert await endpoint.page() == nothing
    assert (await scene.ada.get(f"{endpoint.path}/events")).json == nothing


async def test_who_waits_is_answered_when_something_comes(scene: Scene, worker: WorkerProcess) -> None:
    """Not when the time is over, and a page that stays empty comes when it is."""
    endpoint = await scene.endpoint()
    await scene.post("first")
    await endpoint.all_of(1)
    waiting = asyncio.create_task(endpoint.page("?after=1&wait=30"))
    async with asyncio.timeout(25):
        assert (await endpoint.page("?after=1&wait=1"))["events"] == []
        await scene.post("second")
        assert [data["body"] for data in data_of((await waiting)["events"])] == ["second"]


async def test_a_server_that_stops_keeps_nobody_waiting(scene: Scene) -> None:
    """Whoever waits is answered with what there is; the server need not sit out their time."""
    endpoint = await scene.endpoint()
    waiting = asyncio.create_task(endpoint.page("?wait=30"))
    await scene.chat.hub.close()
    async with asyncio.timeout(20):
        assert (await waiting)["events"] == []


async def test_a_wrong_key_learns_nothing(scene: Scene, worker: WorkerProcess) -> None:
    """Not even whether there is such an endpoint: each is answered to the letter the same."""
    mine, other = await scene.endpoint(), await scene.endpoint()
    await scene.post("swordfish")
    await mine.all_of(1)
    attempts = [(mine.path, other.key), (mine.path, "whpull_guess"), (f"/api/v1/endpoints/{NO_SUCH}", mine.key)]
    answers = set()
    for path, key in attempts:
        stranger = scene.chat.with_token(key)
        for reply in (await stranger.get(f"{path}/events"), await stranger.post(f"{path}/cursor", {"after": 0})):
            problem = reply.json
            del problem["request_id"]
            answers.add((reply.status, msgspec.json.encode(problem)))
    [(status, problem)] = answers
    assert status == 401 and b"PULL_KEY_INVALID" in problem
    nobody = await scene.chat.nobody().get(f"{mine.path}/events")
    assert (nobody.status, nobody.code) == (401, "AUTHENTICATION_REQUIRED")
    assert (await scene.ada.get(f"{mine.path}/events")).json == await mine.page()


async def test_a_pull_key_opens_nothing_else(scene: Scene) -> None:
    """It is no session: neither the webhook's settings nor anybody's messages."""
    endpoint = await scene.endpoint()
    for path in ("/api/v1/me", "/api/v1/webhooks", f"/api/v1/webhooks/{endpoint.id}", "/feed"):
        assert (await endpoint.client.get(path)).code == "SESSION_EXPIRED"
    assert (await endpoint.client.post(f"/api/v1/webhooks/{endpoint.id}/cursor", {"after": 0})).status == 401


async def test_a_new_pull_key_takes_the_old_one_s_place(scene: Scene) -> None:
    """At once, and only where it was asked for."""
    endpoint = await scene.endpoint()
    path = f"/api/v1/webhooks/{endpoint.id}/rotate-secret"
    assert (await scene.ada.post(path)).json["pull_key"] is None
    await endpoint.page()
    new = (await scene.ada.post(path, {"pull_key": True})).json["pull_key"]
    assert (await endpoint.client.get(f"{endpoint.path}/events")).code == "PULL_KEY_INVALID"
    assert (await scene.chat.with_token(new).get(f"{endpoint.path}/events")).status == 200


async def test_a_key_that_was_taken_away_waits_in_vain(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was let in to wait is asked again before anything is told."""
    endpoint = await scene.endpoint()
    looked, place_of = threading.Event(), stream.place_of

    def look(*where: Any) -> stream.Place:
        looked.set()
        return place_of(*where)

    monkeypatch.setattr(stream, "place_of", look)
    waiting = asyncio.create_task(endpoint.client.get(f"{endpoint.path}/events?wait=2"))
    assert await asyncio.to_thread(looked.wait, SECONDS)
    await scene.ada.post(f"/api/v1/webhooks/{endpoint.id}/rotate-secret", {"pull_key": True})
    assert (await waiting).code == "PULL_KEY_INVALID"


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=0", "limit=501", "wait=31"])
async def test_a_page_that_cannot_be_is_refused_by_name(scene: Scene, query: str) -> None:
    """422 with the field."""
    endpoint = await scene.endpoint()
    reply = await endpoint.client.get(f"{endpoint.path}/events?{query}")
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, query.partition("=")[0])


async def test_an_outbox_of_another_log_is_not_believed(scene: Scene, worker: WorkerProcess) -> None:
    """Its positions are other events here: 503, rather than somebody else's messages."""
    endpoint = await scene.endpoint()
    await scene.post("one")
    await endpoint.all_of(1)
    worker.end()
    scene.change_outbox("UPDATE cursor SET chain = x'00'")
    reply = await endpoint.client.get(f"{endpoint.path}/events")
    assert (reply.status, reply.code) == (503, "OUTBOX_UNREADABLE")


def moves_of(scene: Scene, endpoint: Endpoint) -> list[WebhookCursorMoved]:
    history = scene.chat.engine.reader.read_stream(endpoint.id)
    return [each.event for each in history if isinstance(each.event, WebhookCursorMoved)]


async def test_a_receiver_moves_its_own_cursor(scene: Scene) -> None:
    """The answer says from where to where, and how much of the log that is; the record says that it was the key."""
    endpoint = await scene.endpoint()
    await scene.post("one", "two")
    tip = scene.chat.engine.position
    reply = await endpoint.client.post(f"{endpoint.path}/cursor", {"after": 3})
    assert reply.status == 202
    place = {"after": 3, "until": tip, "events": tip - 3, "position": tip + 1, "duplicate": False}
    assert reply.json == {"move_id": reply.json["move_id"], **place}
    [moved] = moves_of(scene, endpoint)
    assert (moved.move_id, moved.after, moved.until, moved.by) == (reply.json["move_id"], 3, None, None)


async def test_an_administrator_moves_it_by_time(scene: Scene) -> None:
    """From the first event at or after the one time to the last at or before the other."""
    endpoint = await scene.endpoint()
    clock = scene.chat.clock
    positions, times = [], []
    for body in ("one", "two", "three"):
        clock.advance(60)
        await scene.post(body)
        positions.append(scene.chat.engine.position)
        times.append(iso_from_ms(clock.now_ms()))
    reply = await scene.ada.post(
        f"/api/v1/webhooks/{endpoint.id}/cursor", {"since": times[1], "until": times[1], "move_id": "backfill:1"}
    )
    assert (reply.json["after"], reply.json["until"]) == (positions[0], positions[1])
    [moved] = moves_of(scene, endpoint)
    assert (moved.after, moved.until, moved.by) == (positions[0], positions[1], scene.ada.user["id"])


async def test_the_same_move_twice_is_one(scene: Scene) -> None:
    """Under its own name, or between the same places, unless it is to be made again; each endpoint has its own."""
    endpoint, other = await scene.endpoint(), await scene.endpoint()

    async def move(of: Endpoint = endpoint, **wanted: Any) -> "Reply":
        return await of.client.post(f"{of.path}/cursor", {"after": 2, **wanted})

    first = await move()
    twice = await move()
    assert (first.status, twice.status) == (202, 200)
    assert twice.json == {**first.json, "duplicate": True}
    assert (await move(until=3)).status == 202
    assert (await move(again=True)).status == 202 and (await move(again=True)).status == 202
    named = await move(move_id="m1")
    assert (named.status, (await move(move_id="m1", after=1)).json) == (202, {**named.json, "duplicate": True})
    assert (await move(other)).status == 202 and (await move(other, move_id="m1")).status == 202
    assert len(moves_of(scene, endpoint)) == 5 and len(moves_of(scene, other)) == 2


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({}, "after"),
        ({"after": 1, "since": "2026-11-23"}, "after"),
        ({"after": 1 << 40}, "after"),
        ({"after": 2, "until": 1}, "until"),
        ({"after": 2, "until": 1 << 40}, "until"),
        ({"after": 2, "until": "2001-01-01"}, "until"),
        ({"after": 2, "until": "yesterday"}, "until"),
        ({"since": "yesterday"}, "since"),
        ({"since": "9999-12-31T23:59:59Z"}, "since"),
        ({"after": 2, "move_id": "a b"}, "move_id"),
        ({"after": 2, "move_id": "m", "again": True}, "again"),
    ],
)
async def test_a_place_that_cannot_be_is_refused_by_name(scene: Scene, wanted: dict[str, Any], field: str) -> None:
    """422, and nothing moves."""
    endpoint = await scene.endpoint()
    for client, path in ((endpoint.client, endpoint.path), (scene.ada, f"/api/v1/webhooks/{endpoint.id}")):
        reply = await client.post(f"{path}/cursor", wanted)
        assert (reply.status, reply.json["errors"][0]["field"]) == (422, field), reply.text
    assert moves_of(scene, endpoint) == []
