"""Killing the outbox worker at random moments while messages are written and delivered."""

import asyncio
import contextlib
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import msgspec

from campfire.config import Settings
from campfire.domain.accounts import NewPerson, NewSession, decide_setup
from campfire.domain.messages import decide_post
from campfire.domain.webhooks import decide_create_webhook
from campfire.engine import Engine
from drills.evidence import Planned, violations
from drills.lives import Lives
from drills.receiver import Receiver

_MOST_WAITING = 300
"""Deliveries that are behind before no more messages are written for a while."""
_LEAST_WAITING_SECONDS = 120
_PER_SECOND = 500
"""Deliveries that the last worker is expected to make at least."""
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="


class Result(msgspec.Struct, frozen=True):
    """What a run found; `repeated` counts requests beyond the first of each delivery."""

    kills: int
    seed: int
    endpoints: int
    messages: int
    deliveries: int
    repeated: int
    seconds: float
    violations: list[str]


class OutboxDrill:
    """`run` it once, in an empty directory."""

    def __init__(self, data: Path, *, kills: int, seed: int, endpoints: int) -> None:
        self._settings = Settings(
            data=data, webhook_allow=(ip_network("127.0.0.0/8"),), outbox="external", log_level="error"
        )
        self._kills, self._seed, self._endpoints = kills, seed, endpoints
        self._chance = random.Random(seed)
        self._receiver = Receiver(random.Random(seed))
        self._lives = Lives(self._settings)
        self._messages = 0
        self._enough = asyncio.Event()

    async def run(self, killed: Callable[[], None]) -> Result:
        """Kill, let the last worker finish, and judge. `killed` is called after each kill. SIGINT ends it earlier."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._enough.set)
        began = time.monotonic()
        address = await self._receiver.start()
        engine = await Engine.open(self._settings)
        try:
            user_id, room_id = await self._found(engine, address)
            writing = asyncio.create_task(self._write(engine, user_id, room_id))
            try:
                kills = await self._kill_again_and_again(writing, killed)
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
            wrong = await self._finish()
        finally:
            await engine.close()
            await self._receiver.stop()
        planned = self._planned()
        receipts = self._receiver.receipts
        wrong += violations(receipts, planned, kills=kills, messages=self._messages)
        return Result(
            kills=kills,
            seed=self._seed,
            endpoints=self._endpoints,
            messages=self._messages,
            deliveries=len(planned),
            repeated=len(receipts) - len({receipt.delivery for receipt in receipts}),
            seconds=time.monotonic() - began,
            violations=wrong,
        )

    async def _found(self, engine: Engine, address: str) -> tuple[str, str]:
        """An account, a room and webhooks; the person's and the room's id."""
        user_id, room_id = engine.new_id(), engine.new_id()
        person = NewPerson(user_id=user_id, name="Ann", email="ann@example.com", password_hash="-")
        session = NewSession(session_id=engine.new_id(), token_hash="-", expires_at=1 << 50)
        await engine.perform(
            lambda: decide_setup(
                engine.directory,
                account_name="Drill",
                person=person,
                session=session,
                room_id=room_id,
                join_code="abcd-efgh-ijkl",
                at=engine.clock.now_ms(),
            )
        )
        for number in range(self._endpoints):
            webhook_id = self._receiver.names[str(number)] = engine.new_id()
            await self._add_webhook(engine, webhook_id, f"{address}{number}", user_id)
        return user_id, room_id

    async def _add_webhook(self, engine: Engine, webhook_id: str, url: str, user_id: str) -> None:
        sealed = engine.sealer.seal(_SECRET)
        await engine.perform(
            lambda: decide_create_webhook(
                engine.directory,
                webhook_id=webhook_id,
                url=url,
                events=("message.posted",),
                rooms=None,
                sealed_secret=sealed,
                actor_id=user_id,
                at=engine.clock.now_ms(),
            )
        )

    async def _write(self, engine: Engine, user_id: str, room_id: str) -> None:
        """Post for ever, but never far ahead of the deliveries."""
        while True:
            behind = self._messages * self._endpoints - len(self._receiver.receipts)
            if behind > _MOST_WAITING:
                await asyncio.sleep(0.01)
                continue
            self._messages += 1  # before: a cancellation does not take back what is being written
            post = decide_post(
                engine.directory,
                room_id=room_id,
                author_id=user_id,
                body=f"message {self._messages}",
                client_message_id=str(self._messages),
                at=engine.clock.now_ms(),
            )
            await asyncio.shield(engine.append(post))
            await asyncio.sleep(0.002)

    async def _kill_again_and_again(self, writing: "asyncio.Task[None]", killed: Callable[[], None]) -> int:
        for number in range(self._kills):
            if self._enough.is_set():
                return number
            if writing.done():
                writing.result()  # to say why
            worker = await asyncio.to_thread(self._lives.begin)
            await self._until_the_moment()
            await asyncio.to_thread(self._lives.kill, worker)
            killed()
        return self._kills

    async def _until_the_moment(self) -> None:
        """Right after the start, in full swing, or with a request on its way."""
        kind = self._chance.random()
        if kind < 0.2:
            await asyncio.sleep(self._chance.random() * 0.03)
        elif kind < 0.6:
            await asyncio.sleep(self._chance.random() * 0.3)
        else:
            self._receiver.arrived.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._receiver.arrived.wait(), 2)
            await asyncio.sleep(self._chance.random() * 0.006)

    async def _finish(self) -> list[str]:
        """Let a last worker deliver what is left, and stop it."""
        worker = await asyncio.to_thread(self._lives.begin)
        wanted = self._messages * self._endpoints
        try:
            async with asyncio.timeout(_LEAST_WAITING_SECONDS + wanted / _PER_SECOND):
                while sum(each.state == "delivered" for each in self._planned()) < wanted:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
        except TimeoutError:
            return ["the last worker did not deliver everything in time"]
        finally:
            code = await asyncio.to_thread(self._lives.stop, worker)
        return [] if code == 0 else [f"the last worker ended with {code}"]

    def _planned(self) -> list[Planned]:
        uri = f"{self._settings.outbox_path.absolute().as_uri()}?mode=ro"
        try:
            with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
                rows = connection.execute("SELECT endpoint_id, id, sequence, state FROM deliveries").fetchall()
        except sqlite3.OperationalError:
            return []  # no worker has lived long enough to make the file
        return [Planned(*row) for row in rows]
