"""A real server on a free port, and people of every kind who call it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import msgspec
from aiohttp import web
from argon2 import PasswordHasher

from campfire.api.app import build_app
from campfire.api.feed import FeedHub
from campfire.api.keys import REMOVER
from campfire.api.posting import post_message
from campfire.api.schemas import Message
from campfire.clock import SystemClock
from campfire.config import Settings
from campfire.domain.accounts import NewPerson, NewSession, decide_join, decide_setup, session_started
from campfire.domain.events import RecordedEvent
from campfire.domain.ids import random_id
from campfire.domain.people import decide_change_role
from campfire.domain.rooms import decide_create_room
from campfire.engine import Engine

PASSWORD = "correct horse battery"
_PASSWORD_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""Weak on purpose: it is nobody's, and people come by the hundred."""
SECONDS = 20
_YEAR_MS = 365 * 86_400_000
_JOIN_CODE = "let-me-in"


class Reply(NamedTuple):
    """An answer, as far as it was read."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def outcome(self) -> str:
        """`ok`, or the code of the problem."""
        return "ok" if self.status < 400 else str(self.json["code"])


class Person(NamedTuple):
    """Somebody (or a bot), with what lets them in."""

    id: str
    name: str
    email: str
    session_id: str
    token: str


class World:
    """A running server. Ada administers it; everybody else comes when they are needed."""

    def __init__(
        self, engine: Engine, app: web.Application, hub: FeedHub, http: aiohttp.ClientSession, url: str
    ) -> None:
        self.engine = engine
        self.app = app
        self.hub = hub
        self.http = http
        self.url = url
        self._first = ""

    @property
    def join_code(self) -> str:
        account = self.engine.directory.account
        return _JOIN_CODE if account is None else account.join_code

    async def do(self, decide: Callable[..., Any], *arguments: Any, **named: Any) -> tuple[RecordedEvent, ...]:
        """Perform a decision of the domain, which is much quicker than to ask for it."""
        engine = self.engine
        return await engine.perform(lambda: decide(engine.directory, *arguments, at=engine.clock.now_ms(), **named))

    async def send(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, headers: Any = None
    ) -> Reply:
        """Call the server; of what never ends only the beginning is read."""
        headers = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        data = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        async with self.http.request(method, self.url + path, data=data, headers=headers) as answer:
            endless = answer.status == 101 or answer.content_type == "text/event-stream"
            read = b"" if endless else await answer.read()
            if endless:
                answer.close()
            return Reply(answer.status, read)

    async def person(self, name: str, *, administrator: bool = False) -> Person:
        """Somebody new, with the password `PASSWORD`; the first one is the administrator anyway."""
        user_id, (token, session) = random_id(), self._session()
        email = f"{user_id}@example.com"
        person = NewPerson(user_id=user_id, name=name, email=email, password_hash=_PASSWORD_HASH)
        if self.engine.directory.account is None:
            named = {"account_name": "Test", "room_id": random_id(), "join_code": _JOIN_CODE}
            self._first = user_id
            await self.do(decide_setup, person=person, session=session, **named)
        else:
            await self.do(decide_join, join_code=self.join_code, person=person, session=session)
            if administrator:
                await self.do(decide_change_role, user_id=user_id, role="administrator", actor_id=self._first)
        return Person(user_id, name, email, session.session_id, token)

    async def second_session(self, person: Person) -> Person:
        """The same person on another device."""
        token, session = self._session()
        await self.engine.append([session_started(session, person.id, self.engine.clock.now_ms())])
        return person._replace(session_id=session.session_id, token=token)

    async def bot(self, name: str, by: Person) -> Person:
        """A bot, as an administrator makes one."""
        reply = await self.send("POST", "/api/v1/bots", {"name": name}, token=by.token)
        assert reply.status == 201, reply.body
        return Person(reply.json["id"], name, "", "", reply.json["key"])

    async def room(self, by: Person, *others: Person, kind: str = "closed", name: str = "A room") -> str:
        named = {"room_id": random_id(), "name": "" if kind == "direct" else name, "kind": kind}
        members = [other.id for other in others]
        [created] = await self.do(decide_create_room, members=members, actor_id=by.id, **named)
        return str(created.stream_id)

    async def post(self, by: Person, room_id: str, body: str, **more: Any) -> Message:
        return await post_message(self.engine, by.id, room_id=room_id, body=body, client_message_id=None, **more)

    async def settled(self) -> None:
        """Wait until the server has done in the background what was begun, so that the log stands still."""
        directory = self.engine.directory

        def is_settled() -> bool:
            leaving = any(room.deleted and not room.emptied for room in directory.rooms.values())
            return not leaving and not any(user.must_lose_messages for user in directory.users.values())

        if not is_settled():
            self.app[REMOVER].look_soon()
        async with asyncio.timeout(SECONDS):
            while not is_settled():
                await asyncio.sleep(0.005)

    def _session(self) -> tuple[str, NewSession]:
        token = random_id()
        return token, NewSession(
            session_id=random_id(),
            token_hash=sha256(token.encode()).hexdigest(),
            expires_at=self.engine.clock.now_ms() + _YEAR_MS,
        )


@asynccontextmanager
async def open_world(data: Path) -> AsyncIterator[World]:
    """A server over `data`; what is there already is served."""
    engine = await Engine.open(Settings(data=data, link_previews="off"), clock=SystemClock())
    hub = FeedHub(engine)
    app = build_app(engine, hub)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            yield World(engine, app, hub, http, url)
            await hub.close()
    finally:
        await runner.cleanup()
        await engine.close()
