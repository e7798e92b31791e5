"""A real server on a free port, people signed in to it, and the three ways to follow its feed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from feed_support.listening import SECONDS, EventSource, Frame, Socket

from campfire.api.app import build_app
from campfire.api.feed import FeedHub
from campfire.api.feed.activity import Activity
from campfire.api.keys import ACTIVITY
from campfire.api.posting import post_message
from campfire.api.schemas import Message
from campfire.clock import Clock, SystemClock
from campfire.config import Settings
from campfire.domain.accounts import NewPerson, NewSession, decide_join, decide_setup
from campfire.domain.bots import decide_create_bot
from campfire.domain.ids import random_id
from campfire.domain.memberships import decide_add_member, decide_remove_member
from campfire.domain.messages import decide_delete, decide_edit
from campfire.domain.rooms import decide_create_room
from campfire.domain.sessions import decide_end_session, decide_sign_in
from campfire.engine import Engine
from campfire.tokens import new_code, token_hash
from projections.queries import messages

_YEAR_MS = 365 * 86_400_000
_JOIN_CODE = "let-me-in"


class Person:
    """Somebody with a session, and what they do."""

    def __init__(self, server: "Server", user_id: str, session_id: str, token: str) -> None:
        self.server = server
        self.id = user_id
        self.session_id = session_id
        self.headers = {"Authorization": f"Bearer {token}"}
        self.token = token

    async def socket(self, since: object = None, epoch: str | None = None, **options: Any) -> Socket:
        """Connect and read the hello."""
        params = {key: str(value) for key, value in (("since", since), ("epoch", epoch)) if value is not None}
        raw = await self.server.http.ws_connect("/ws", params=params, headers=self.headers, max_msg_size=0, **options)
        socket = Socket(raw)
        await socket.next("hello")
        return socket

    async def poll(self, since: object = None, epoch: str | None = None, wait: int = 0) -> Frame:
        params = {key: str(value) for key, value in (("since", since), ("epoch", epoch)) if value is not None}
        async with self.server.http.get("/feed", params={**params, "wait": str(wait)}, headers=self.headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()  # type: ignore[no-any-return]

    @asynccontextmanager
    async def event_source(self, since: object = None, last_id: str | None = None) -> AsyncIterator[EventSource]:
        headers = {**self.headers, "Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        params = {"since": str(since)} if since is not None else {}
        async with self.server.http.get("/feed", params=params, headers=headers) as answer:
            assert answer.status == 200 and answer.content_type == "text/event-stream"
            yield EventSource(answer)

    async def call(self, method: str, path: str) -> Any:
        """The JSON answer of the API; None if it has no content, the problem's code if it refuses."""
        async with self.server.http.request(method, f"/api/v1{path}", headers=self.headers) as answer:
            if answer.status == 204:
                return None
            told = await answer.json()
            return told if answer.status == 200 else told["code"]

    async def unread(self, room_id: str) -> int:
        """As the API counts it."""
        return int((await self.call("GET", f"/rooms/{room_id}"))["unread"])

    async def post(self, room_id: str, body: str = "hello") -> Message:
        return await post_message(
            self.server.engine, self.id, room_id=room_id, body=body, client_message_id=None, overflow="refuse"
        )

    async def edit(self, message_id: str, body: str) -> None:
        engine = self.server.engine
        state = await messages.state(engine.read_models, message_id)
        assert state is not None
        await self.server.do(decide_edit, state, actor_id=self.id, body=body, truncate=False)

    async def delete(self, message_id: str) -> None:
        state = await messages.state(self.server.engine.read_models, message_id)
        assert state is not None
        await self.server.do(decide_delete, state, actor_id=self.id)

    async def room(self, *others: "Person", kind: str = "closed", name: str = "A room") -> str:
        room_id = random_id()
        [created] = await self.server.do(
            decide_create_room,
            room_id=room_id,
            name=name,
            kind=kind,
            members=[other.id for other in others],
            actor_id=self.id,
        )
        return str(created.event.room_id)

    async def add(self, room_id: str, other: "Person") -> None:
        await self.server.do(decide_add_member, room_id=room_id, user_id=other.id, actor_id=self.id)

    async def remove(self, room_id: str, other: "Person") -> None:
        await self.server.do(decide_remove_member, room_id=room_id, user_id=other.id, actor_id=self.id)

    async def end_session(self) -> None:
        await self.server.do(decide_end_session, session_id=self.session_id, actor_id=self.id, reason="revoked")


class Server:
    """A running server."""

    def __init__(self, engine: Engine, hub: FeedHub, activity: Activity, http: aiohttp.ClientSession, url: str) -> None:
        self.engine = engine
        self.hub = hub
        self.activity = activity
        self.http = http
        self.url = url

    @property
    def position(self) -> int:
        return self.engine.position

    async def do(self, decide: Callable[..., Any], *arguments: Any, **named: Any) -> tuple[Any, ...]:
        """Perform a decision of the domain."""
        engine = self.engine
        return await engine.perform(lambda: decide(engine.directory, *arguments, at=engine.clock.now_ms(), **named))

    async def person(self, name: str) -> Person:
        """Somebody new; the first one is the administrator."""
        user_id, (token, session) = random_id(), self._session()
        person = NewPerson(user_id=user_id, name=name, email=f"{name.lower()}@example.com", password_hash="-")
        if self.engine.directory.account is None:
            await self.do(
                decide_setup,
                account_name="Test",
                person=person,
                session=session,
                room_id=random_id(),
                join_code=_JOIN_CODE,
            )
        else:
            await self.do(decide_join, join_code=_JOIN_CODE, person=person, session=session)
        return Person(self, user_id, session.session_id, token)

    async def bot(self, name: str, *, by: Person) -> Person:
        """A bot; its key is its token."""
        bot_id, token = random_id(), new_code()
        sealed = self.engine.sealer.seal(token)
        told = {"name": name, "token_hash": token_hash(token), "sealed_token": sealed, "webhook_url": None}
        await self.do(decide_create_bot, bot_id=bot_id, actor_id=by.id, **told)
        number = self.engine.directory.users[bot_id].position
        return Person(self, bot_id, self.engine.directory.bots[bot_id].key_id, f"{number}-{token}")

    async def second_session(self, person: Person) -> Person:
        """The same person on another device."""
        token, session = self._session()
        await self.do(
            decide_sign_in,
            user_id=person.id,
            password_hash=self.engine.directory.users[person.id].password_hash,
            session=session,
        )
        return Person(self, person.id, session.session_id, token)

    def _session(self) -> tuple[str, NewSession]:
        token = random_id()
        return token, NewSession(
            session_id=random_id(),
            token_hash=sha256(token.encode()).hexdigest(),
            expires_at=self.engine.clock.now_ms() + _YEAR_MS,
        )

    @staticmethod
    async def eventually(holds: Callable[[], bool | Awaitable[bool]]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(SECONDS):
            while True:
                found = holds()
                if found if isinstance(found, bool) else await found:
                    return
                await asyncio.sleep(0.005)


@pytest.fixture
def clock() -> Clock:
    """The machine's; a module whose tests move time has its own."""
    return SystemClock()


@pytest.fixture
async def server(tmp_path: Path, clock: Clock) -> AsyncIterator[Server]:
    engine = await Engine.open(Settings(data=tmp_path / "data", link_previews="off"), clock=clock)
    hub = FeedHub(engine)
    app = build_app(engine, hub)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(base_url=url, cookie_jar=aiohttp.DummyCookieJar()) as http:
            yield Server(engine, hub, app[ACTIVITY], http, url)
            await hub.close()
    finally:
        await runner.cleanup()
        await engine.close()


@pytest.fixture
async def ada(server: Server) -> Person:
    """The administrator."""
    return await server.person("Ada")


@pytest.fixture
async def bob(server: Server, ada: Person) -> Person:
    return await server.person("Bob")


@pytest.fixture
async def eve(server: Server, bob: Person) -> Person:
    return await server.person("Eve")


@pytest.fixture
async def room(ada: Person, bob: Person) -> str:
    """A closed room of Ada and Bob."""
    return await ada.room(bob)
