"""Sixty-four people who will not stop talking, and some who only listen, over a server that keeps dying."""

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from faults_support.history import Acknowledged, Witnessed
from faults_support.server_process import ServerProcess

PASSWORD = "correct horse battery"
GONE = (aiohttp.ClientError, ConnectionError, TimeoutError, asyncio.IncompleteReadError)


@dataclass
class Person:
    """Somebody signed in, and the rooms they talk in."""

    id: str
    token: str
    rooms: list[str] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class Crowd:
    """Four people in three rooms, as 64 senders and some listeners."""

    def __init__(self, server: ServerProcess, *, senders: int = 64, seed: int = 7) -> None:
        self.server = server
        self.people: list[Person] = []
        self.rooms: dict[str, set[str]] = {}
        self.acknowledged: list[Acknowledged] = []
        self.witnessed: list[Witnessed] = []
        self._senders = senders
        self._chance = random.Random(seed)
        self._stopping = asyncio.Event()
        self._progress = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession

    async def gather_round(self) -> None:
        """Set the server up: people, rooms, and who is where."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        founded = await self._post(
            "/api/v1/setup", {"account": "Acme", "name": "P0", "email": "p0@example.com", "password": PASSWORD}
        )
        self.people.append(Person(founded["user"]["id"], founded["token"]))
        for number in range(1, 4):
            joined = await self._post(
                f"/api/v1/join/{founded['account']['join_code']}",
                {"name": f"P{number}", "email": f"p{number}@example.com", "password": PASSWORD},
            )
            self.people.append(Person(joined["user"]["id"], joined["token"]))
        self.rooms[founded["room"]["id"]] = {person.id for person in self.people}
        for members in (self.people[:3], self.people[1:]):
            room = await self._post(
                "/api/v1/rooms",
                {"name": "Closed", "kind": "closed", "members": [person.id for person in members]},
                members[0],
            )
            self.rooms[room["id"]] = {person.id for person in members}
        for person in self.people:
            person.rooms = [room for room, members in self.rooms.items() if person.id in members]

    async def talk(self) -> None:
        """Begin sending and listening."""
        for number in range(self._senders):
            person = self.people[number % len(self.people)]
            talk = self._talk_over_socket if number % 4 == 0 else self._talk_over_http
            self._tasks.append(asyncio.create_task(talk(person, number)))
        start = await self._position()
        for number, person in enumerate(self.people):
            listen = self._poll if number == 0 else self._listen
            witness = Witnessed(person.id, start)
            self.witnessed.append(witness)
            self._listeners.append(asyncio.create_task(listen(person, witness)))

    async def until_acknowledged(self, more: int) -> None:
        """Wait for so many more acknowledgements."""
        goal = len(self.acknowledged) + more
        async with asyncio.timeout(60), self._progress:
            await self._progress.wait_for(lambda: len(self.acknowledged) >= goal)

    async def fall_silent(self) -> None:
        """Stop sending; let every listener see what there is; stop listening."""
        self._stopping.set()
        await asyncio.gather(*self._tasks)
        last = {person.id: await self._last_visible(person) for person in self.people}
        async with asyncio.timeout(60):
            while any(not each.events or each.events[-1][0] < last[each.user_id] for each in self.witnessed):
                await asyncio.sleep(0.02)
        for listener in self._listeners:
            listener.cancel()
        await asyncio.gather(*self._listeners, return_exceptions=True)
        await self._session.close()

    async def bodies_in(self, room: str, person: Person) -> list[str]:
        """Every body that the API lists in a room, page by page."""
        bodies: list[str] = []
        query: dict[str, str] = {"limit": "200"}
        while page := (await self._get(f"/api/v1/rooms/{room}/messages", person, query))["messages"]:
            bodies = [message["body"] for message in page] + bodies
            query = {"limit": "200", "before": page[0]["id"]}
        return bodies

    async def _talk_over_http(self, person: Person, number: int) -> None:
        count = 0
        while not self._stopping.is_set():
            count += 1
            room = self._chance.choice(person.rooms)
            wanted = {"body": f"{number} says {count}", "client_message_id": f"{number}-{count}"}
            await self._insist(f"/api/v1/rooms/{room}/messages", wanted, person)

    async def _insist(self, path: str, wanted: dict[str, str], person: Person) -> None:
        """Post until it is acknowledged, under the same id."""
        while True:
            with contextlib.suppress(*GONE):
                async with self._session.post(self.server.url + path, json=wanted, headers=person.headers) as response:
                    message = await response.json(content_type=None)
                    if response.status in (200, 201):
                        await self._remember(message)
                        return
                    assert response.status == 503, message
            if self._stopping.is_set():
                return
            await asyncio.sleep(0.02)

    async def _talk_over_socket(self, person: Person, number: int) -> None:
        count, unanswered = 0, ""
        while not self._stopping.is_set():
            with contextlib.suppress(*GONE):
                async with self._session.ws_connect(self.server.url + "/ws", headers=person.headers) as socket:
                    while not self._stopping.is_set():
                        if not unanswered:
                            count += 1
                            unanswered = self._chance.choice(person.rooms)
                        await socket.send_json(
                            {
                                "type": "post",
                                "ref": count,
                                "room_id": unanswered,
                                "body": f"{number} says {count}",
                                "client_message_id": f"{number}-{count}",
                            }
                        )
                        await self._remember(await _ack(socket, count))
                        unanswered = ""
            await asyncio.sleep(0.02)

    async def _listen(self, person: Person, witness: Witnessed) -> None:
        """The feed over WebSocket, resumed from the last position whenever the server dies."""
        position, epoch = witness.since, ""
        while True:
            with contextlib.suppress(*GONE):
                query = {"since": str(position)} | ({"epoch": epoch} if epoch else {})
                async with self._session.ws_connect(
                    self.server.url + "/ws", params=query, headers=person.headers
                ) as socket:
                    async for raw in socket:
                        frame = raw.json()
                        assert frame["type"] != "resync", frame
                        epoch = frame.get("epoch", epoch)
                        if frame["type"] == "event":
                            position = frame["position"]
                            witness.events.append((position, frame["event"]))
            await asyncio.sleep(0.02)

    async def _poll(self, person: Person, witness: Witnessed) -> None:
        """The same by long polling."""
        position = witness.since
        while True:
            with contextlib.suppress(*GONE):
                page = await self._get("/feed", person, {"since": str(position), "wait": "5"})
                assert not page["resync"], page
                witness.events.extend((event["position"], event["event"]) for event in page["events"])
                position = page["position"]
                continue
            await asyncio.sleep(0.02)

    async def _last_visible(self, person: Person) -> int:
        position, last = self.witnessed[0].since, 0
        while True:
            page = await self._get("/feed", person, {"since": str(position)})
            if not page["events"]:
                return last
            position, last = page["position"], page["events"][-1]["position"]

    async def _remember(self, message: dict[str, Any]) -> None:
        async with self._progress:
            self.acknowledged.append(Acknowledged(message["id"], message["position"], message["body"]))
            self._progress.notify_all()

    async def _position(self) -> int:
        return int((await self._get("/feed", self.people[0], {}))["position"])

    async def _post(self, path: str, wanted: dict[str, Any], person: Person | None = None) -> Any:
        headers = person.headers if person else {}
        async with self._session.post(self.server.url + path, json=wanted, headers=headers) as response:
            assert response.status == 201, await response.text()
            return await response.json()

    async def _get(self, path: str, person: Person, query: dict[str, str]) -> Any:
        async with self._session.get(self.server.url + path, params=query, headers=person.headers) as response:
            if response.status == 503:
                raise ConnectionError("the server is stopping")
            assert response.status == 200, await response.text()
            return await response.json()


async def _ack(socket: aiohttp.ClientWebSocketResponse, ref: int) -> dict[str, Any]:
    """The acknowledgement of a post, among whatever else comes."""
    async for raw in socket:
        frame = raw.json()
        if frame["type"] == "ack" and frame["ref"] == ref:
            return dict(frame["data"])
        if frame["type"] == "error":
            raise ConnectionError(str(frame["error"]))
    raise ConnectionError("the socket closed")
