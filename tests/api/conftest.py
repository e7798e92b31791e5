"""A real server on a free port, and people who use it."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import yarl
from aiohttp import web
from multidict import CIMultiDictProxy

from campfire.api.app import build_app
from campfire.api.feed import FeedHub
from campfire.clock import ManualClock
from campfire.config import Settings
from campfire.engine import Engine

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Reply:
    """An answer that has been read to its end."""

    status: int
    headers: CIMultiDictProxy[str]
    text: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.text)

    @property
    def code(self) -> str:
        """The code of a problem document."""
        assert self.headers["Content-Type"].startswith("application/problem+json"), self.text
        return str(self.json["code"])


class Client:
    """Speaks to the server as one person, or as nobody without a token. Keeps no cookies."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str | None = None) -> None:
        self._http = http
        self.url = url
        self.token = token
        self.user: dict[str, Any] = {}

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.send("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Reply:
        return await self.send("POST", path, body, **options)

    async def patch(self, path: str, body: Any = None, **options: Any) -> Reply:
        return await self.send("PATCH", path, body, **options)

    async def delete(self, path: str, **options: Any) -> Reply:
        return await self.send("DELETE", path, **options)

    async def put(self, path: str, body: Any = None, **options: Any) -> Reply:
        return await self.send("PUT", path, body, **options)

    async def send(self, method: str, path: str, body: Any = None, **options: Any) -> Reply:
        """`body` is sent as JSON, bytes as they are."""
        headers = {**({"Authorization": f"Bearer {self.token}"} if self.token else {}), **options.pop("headers", {})}
        if body is not None:
            options["data"] = body if isinstance(body, bytes) else msgspec.json.encode(body)
        # Encoded already: a test that sends %ff means these three characters.
        url = yarl.URL(self.url + path, encoded=True)
        async with self._http.request(method, url, headers=headers, **options) as response:
            return Reply(response.status, response.headers, await response.text())


class Chat:
    """A running server and the means to meet it."""

    def __init__(self, engine: Engine, hub: FeedHub, clock: ManualClock, http: aiohttp.ClientSession, url: str) -> None:
        self.engine = engine
        self.hub = hub
        self.answers: Counter[tuple[str, str, int]] = Counter()
        """Method, declared path and status of everything answered so far."""
        self.clock = clock
        self.http = http
        self.url = url
        self.join_code = ""
        self.first_room = ""

    def nobody(self) -> Client:
        return Client(self.http, self.url)

    def with_token(self, token: str) -> Client:
        return Client(self.http, self.url, token)

    async def set_up(self) -> Client:
        """Set the server up; return its administrator, Ada."""
        wanted = {"account": "Engine Room", "name": "Ada", "email": "ada@example.com", "password": PASSWORD}
        reply = await self.nobody().post("/api/v1/setup", wanted)
        assert reply.status == 201, reply.text
        self.join_code = reply.json["account"]["join_code"]
        self.first_room = reply.json["room"]["id"]
        return self._signed_in(reply)

    async def joined(self, name: str) -> Client:
        """A new member of that name, with the address name@example.com."""
        wanted = {"name": name, "email": f"{name.lower()}@example.com", "password": PASSWORD}
        reply = await self.nobody().post(f"/api/v1/join/{self.join_code}", wanted)
        assert reply.status == 201, reply.text
        return self._signed_in(reply)

    def _signed_in(self, reply: Reply) -> Client:
        client = self.with_token(reply.json["token"])
        client.user = reply.json["user"]
        return client


OpenChat = Callable[..., AbstractAsyncContextManager[Chat]]


@pytest.fixture
def open_chat(tmp_path: Path) -> OpenChat:
    """Opens a server with settings of the test's own, on the test's data directory."""

    @asynccontextmanager
    async def open_(body_seconds: float = 60, **settings: Any) -> AsyncIterator[Chat]:
        clock = ManualClock()
        # Without link previews: no test asks anybody outside for anything.
        wanted: dict[str, Any] = {"data": tmp_path / "data", "link_previews": "off", **settings}
        engine = await Engine.open(Settings(**wanted), clock=clock)
        hub = FeedHub(engine)
        app = build_app(engine, hub, body_seconds=body_seconds)
        chats: list[Chat] = []

        async def note(request: web.Request, response: web.StreamResponse) -> None:
            resource = request.match_info.route.resource
            path = resource.canonical if resource is not None else ""
            chats[0].answers[request.method, path, response.status] += 1

        app.on_response_prepare.append(note)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
                chats.append(Chat(engine, hub, clock, http, url))
                yield chats[0]
        finally:
            await runner.cleanup()
            await engine.close()

    return open_


@pytest.fixture
async def chat(open_chat: OpenChat) -> AsyncIterator[Chat]:
    async with open_chat() as chat:
        yield chat


@pytest.fixture
async def ada(chat: Chat) -> Client:
    """The administrator of a server that has been set up."""
    return await chat.set_up()


@pytest.fixture
async def bob(chat: Chat, ada: Client) -> Client:
    """A member."""
    return await chat.joined("Bob")


@pytest.fixture
async def eve(chat: Chat, bob: Client) -> Client:
    """Another member, who is in no room but the first."""
    return await chat.joined("Eve")
