"""A chat whose people have browsers: a real server with its control socket, and a push service that reads along."""

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from typing import Any

import aiohttp
import http_ece
from aiohttp import web
from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC
from Crypto.Signature import DSS
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from campfire.api.app import build_app
from campfire.api.control import build_control_app
from campfire.api.feed import FeedHub
from campfire.clock import SystemClock
from campfire.config import Settings
from campfire.domain.accounts import NewPerson, NewSession, decide_join, session_started
from campfire.domain.events import MessagePosted, RoomKind
from campfire.domain.ids import direct_room_id
from campfire.domain.messages import decide_post
from campfire.domain.rooms import decide_create_room
from campfire.engine import Engine
from campfire.push_keys import base64url
from campfire.tokens import new_token, token_hash
from outbox.push.queries import PushStatus, push_status
from outbox.status import outbox_status
from outbox.worker import Worker
from outbox_support.chat import Chat
from outbox_support.sink import Received, Sink


def unpadded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Browser:
    """What a browser does of Web Push: makes keys, hands out a subscription, reads what comes."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.auth = b"sixteen bytes ok"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.p256dh = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def subscription(self) -> dict[str, Any]:
        """As `PushSubscription.toJSON` gives it."""
        keys = {"p256dh": base64url(self.p256dh), "auth": base64url(self.auth)}
        return {"endpoint": self.endpoint, "expirationTime": None, "keys": keys}

    def read(self, received: Received) -> Any:
        """The payload, decrypted by http_ece."""
        assert received.headers["content-encoding"] == "aes128gcm"
        plain = http_ece.decrypt(received.body, private_key=self._key, auth_secret=self.auth)
        return json.loads(plain)


def vapid_claims(received: Received, public_key: str) -> Any:
    """The token's claims, once its signature is found to be that key's (RFC 8292, RFC 7515)."""
    scheme, _, rest = received.headers["authorization"].partition(" ")
    assert scheme == "vapid"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert parts["k"] == public_key
    signed, _, signature = parts["t"].rpartition(".")
    raw = unpadded(signature)
    assert len(raw) == 64
    # By another library than the one that signed.
    key = ECC.import_key(unpadded(public_key), curve_name="P-256")
    DSS.new(key, "fips-186-3").verify(SHA256.new(signed.encode()), raw)
    header, claims = (json.loads(unpadded(part)) for part in signed.split("."))
    assert header["alg"] == "ES256"
    return claims


class Person:
    """Somebody signed in on one device."""

    def __init__(self, user_id: str, session_id: str, token: str) -> None:
        self.user_id = user_id
        self.session_id = session_id
        self.token = token
        self.subscription_id = ""
        self.browser = Browser("")


class PushChat:
    """A chat with people, served over HTTP and over its control socket until `stop_serving`."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.engine: Engine = chat.engine
        self._count = 0
        self._runners: list[web.AppRunner] = []
        self._url = ""

    async def serve(self) -> None:
        app = build_app(self.engine, FeedHub(self.engine))
        site, control = web.AppRunner(app, access_log=None), web.AppRunner(build_control_app(app), access_log=None)
        self._runners = [site, control]
        await site.setup()
        await control.setup()
        await web.TCPSite(site, "127.0.0.1", 0).start()
        self._url = f"http://127.0.0.1:{site.addresses[0][1]}"
        await self.open_control()

    async def open_control(self) -> None:
        path = self.engine.settings.socket_path
        path.unlink(missing_ok=True)
        await web.UnixSite(self._runners[1], str(path)).start()

    async def close_control(self) -> None:
        """As if the server were down: nobody answers the worker's questions."""
        for site in list(self._runners[1].sites):
            await site.stop()

    async def stop_serving(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    async def join(self, name: str) -> Person:
        """A new member with a device that is signed in."""
        engine, session, token = self.engine, *self._session()
        person = NewPerson(user_id=engine.new_id(), name=name, email=f"{name.lower()}@example.com", password_hash="-")
        account = engine.directory.account
        assert account is not None
        await engine.perform(
            lambda: decide_join(engine.directory, join_code=account.join_code, person=person, session=session, at=1)
        )
        return Person(person.user_id, session.session_id, token)

    async def sign_in(self, person: Person) -> Person:
        """The same person on another device."""
        engine, session, token = self.engine, *self._session()
        await engine.append([session_started(session, person.user_id, 1)])
        return Person(person.user_id, session.session_id, token)

    def _session(self) -> tuple[NewSession, str]:
        token = new_token()
        session = NewSession(session_id=self.engine.new_id(), token_hash=token_hash(token), expires_at=1 << 50)
        return session, token

    async def call(self, person: Person, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {person.token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.request(method, self._url + path, json=body) as response,
        ):
            assert response.status < 300, await response.text()
            return await response.json() if response.status != 204 else None

    async def subscribe(self, person: Person, sink: Sink, path: str = "/push") -> Browser:
        """Turn notifications on, at this push service."""
        person.browser = Browser(f"http://127.0.0.1:{sink.port}{path}")
        device = await self.call(person, "PUT", "/api/v1/me/push-subscriptions", person.browser.subscription)
        person.subscription_id = device["id"]
        return person.browser

    async def with_notifications(self, name: str, sink: Sink, path: str = "/push") -> Person:
        person = await self.join(name)
        await self.subscribe(person, sink, path)
        return person

    async def open_room(self, person: Person, room_id: str) -> None:
        """Look at a room, for the next minute. By a lease: the server closes what nobody holds."""
        await self.call(person, "PUT", f"/api/v1/rooms/{room_id}/presence")

    async def room(self, kind: RoomKind, name: str, *people: Person) -> str:
        engine, creator = self.engine, people[0].user_id
        members = [person.user_id for person in people[1:]]
        room_id = direct_room_id([creator, *members]) if kind == "direct" else engine.new_id()
        await engine.perform(
            lambda: decide_create_room(
                engine.directory, room_id=room_id, name=name, kind=kind, members=members, actor_id=creator, at=1
            )
        )
        return room_id

    async def post(self, author: Person, room_id: str, body: str) -> tuple[MessagePosted, int]:
        """The message and its position in the log."""
        self._count += 1
        engine = self.engine
        [recorded] = await engine.append(
            decide_post(
                engine.directory,
                room_id=room_id,
                author_id=author.user_id,
                body=body,
                client_message_id=f"push {self._count}",
                at=engine.clock.now_ms(),
            )
        )
        assert isinstance(recorded.event, MessagePosted)
        return recorded.event, recorded.position


IMPATIENT: dict[str, Any] = {
    "webhook_allow": (ip_network("127.0.0.0/8"),),
    "webhook_retry_schedule": (0.05,) * 6,
    "webhook_breaker_seconds": 0.1,
    "webhook_timeout": 5.0,
}


class LateClock(SystemClock):
    """The machine's clock, or one that is set forward, or stands still."""

    late_by_ms = 0
    _stands_at: int | None = None

    def now_ms(self) -> int:
        return (super().now_ms() if self._stands_at is None else self._stands_at) + self.late_by_ms

    def stand_still(self) -> None:
        self._stands_at = super().now_ms()


class Working:
    """A worker in this process, from `start` to `stop`."""

    def __init__(self, settings: Settings) -> None:
        self.clock = LateClock()
        self._settings = settings
        self._worker: Worker | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._worker = Worker(self._settings, self.clock)
        self._task = asyncio.create_task(self._worker.run())

    async def stop(self) -> None:
        if self._worker is not None and self._task is not None:
            self._worker.stop()
            await self._task
            self._worker = self._task = None


def answering(*statuses: int, **headers: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """One status after another, the last one for ever."""
    left = list(statuses)

    async def answer(_request: web.Request) -> web.StreamResponse:
        status = left.pop(0) if len(left) > 1 else left[0]
        return web.Response(status=status, headers=headers)

    return answer


async def until(scene: PushChat, holds: Callable[[PushStatus], bool]) -> PushStatus:
    """Wait until that holds of the pushes."""
    async with asyncio.timeout(60):
        while not holds(status := push_status(scene.engine.settings.outbox_path)):
            await asyncio.sleep(0.02)
    return status


def at_rest(status: PushStatus) -> bool:
    return status.waiting + status.pending + status.sending == 0


async def until_followed(scene: PushChat) -> PushStatus:
    """Wait until everything said so far has been pushed or dropped."""
    position = scene.engine.position
    async with asyncio.timeout(60):
        while (found := outbox_status(scene.engine.settings.outbox_path, 0)) is None or found.position < position:
            await asyncio.sleep(0.02)
    return await until(scene, at_rest)
