"""The worker: plans from the log, and lets every endpoint be served at its own pace.

Every endpoint has a task of its own (`endpoint_sender.py`), so a slow or dead one delays nobody else.
"""

import asyncio
import os
import random
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from campfire.clock import Clock
from campfire.config import Settings
from campfire.errors import CampfireError
from campfire.eventlog.errors import FsyncFailed, LogDamaged, UnknownTopic
from campfire.eventlog.follower import follow
from campfire.eventlog.reader import LogReader
from campfire.sealing import Sealer
from outbox import deliveries, pruning
from outbox.address_guard import AddressGuard
from outbox.bot_calls import BotCaller
from outbox.catch_up import CatchUp
from outbox.endpoint_sender import EndpointSender, Means
from outbox.hand_over import HandOver
from outbox.ledger import Ledger
from outbox.planner import Planner
from outbox.push.pusher import Pusher, PushMeans
from outbox.rendering import Renderer
from outbox.reporting import Reporting
from outbox.sender import Sender

_HEARTBEAT_SECONDS = 5
_UNWRITABLE_SECONDS = 1.0
_PAGE = 200
"""Events planned in one transaction; results of deliveries wait for it, so it must be short."""

log = structlog.get_logger()


class Worker:
    """Run it until `stop`; whatever it was sending is then finished first."""

    def __init__(self, settings: Settings, clock: Clock, chance: random.Random | None = None) -> None:
        self._clock = clock
        self._ledger = Ledger(settings.outbox_path)
        self._sender = Sender(
            AddressGuard(settings.webhook_allow, settings.port), clock, timeout=settings.webhook_timeout
        )
        self._reader = LogReader(settings.events_path)
        renderer = Renderer(self._reader)
        self._planner = Planner(self._ledger, self._reader, renderer, clock.now_ms, settings.push_ttl)
        self._catch_up = CatchUp(
            self._ledger,
            self._reader,
            clock.now_ms,
            on_planned=self._wake,
            on_met=self._planner.look_again,
        )
        self._hand_over = HandOver(settings, self._ledger, clock.now_ms)
        self._reporting = Reporting(settings, self._ledger)
        self._stopping = asyncio.Event()
        sealer = Sealer.from_key_file(settings.key_path)
        self._means = Means(
            settings=settings,
            ledger=self._ledger,
            sender=self._sender,
            sealer=sealer,
            clock=clock,
            chance=chance or random.Random(),  # noqa: S311 - spreads retries, guards nothing
            stopping=self._stopping,
            caller=BotCaller(self._sender, sealer, seconds=settings.bot_timeout),
            renderer=renderer,
            on_disabled=self._planner.look_again,
            on_answer=self._hand_over.wake,
            on_report=self._reporting.wake,
        )
        self._pusher = Pusher(
            PushMeans(
                settings=settings,
                ledger=self._ledger,
                sender=self._sender,
                sealer=self._means.sealer,
                clock=clock,
                chance=self._means.chance,
                stopping=self._stopping,
            )
        )
        self._endpoints: dict[str, EndpointSender] = {}
        self._serving: dict[str, asyncio.Task[None]] = {}
        self._failed: asyncio.Queue[BaseException] = asyncio.Queue()

    def stop(self) -> None:
        """Claim nothing more; finish what is being sent."""
        self._stopping.set()
        for endpoint in self._endpoints.values():
            endpoint.wake()
        self._pusher.wake()

    async def run(self) -> None:
        """Deliver until stopped.

        Raises `CampfireError`: `LOG_DAMAGED` if the log is not the one followed so far or cannot be
        read, `CONFIGURATION_INVALID` if the key file or this version does not fit the log,
        `DATABASE_CONNECTION_FAILED` if a file cannot be trusted any more.
        """
        with _telling():
            await self._ledger.open()
            await self._sender.open()
            try:
                await self._work(await self._begin())
            finally:
                await self._sender.close()
                await self._ledger.close()
                self._reader.close()

    async def _work(self, after: int) -> None:
        """Plan, beat and deliver until stopped, or until one of them cannot go on; then raise why."""
        own = [
            asyncio.create_task(self._plan(after), name="planner"),
            asyncio.create_task(self._catch_up.run(), name="catching up"),
            asyncio.create_task(self._beat(), name="heartbeat"),
            asyncio.create_task(self._hand_over.run(), name="answers"),
            asyncio.create_task(pruning.run(self._ledger, self._clock.now_ms, self._stopping), name="pruning"),
            asyncio.create_task(self._reporting.run(), name="reports"),
            asyncio.create_task(self._failed.get(), name="failures"),
        ]
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({*own, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (*own, stopped):
            task.cancel()
        results = await asyncio.gather(*own, return_exceptions=True)
        self.stop()
        results += await asyncio.gather(*self._serving.values(), return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):  # raised, or handed over by an endpoint's task
                raise result

    async def _begin(self) -> int:
        """Prove the log against the cursor, take back what a crash left, wake the endpoints that have work."""
        position = await self._proven_position()
        now = self._clock.now_ms()
        await self._ledger.write(lambda connection: deliveries.take_back(connection, now))
        await self._pusher.begin()
        for row in await self._ledger.rows("SELECT DISTINCT endpoint_id FROM deliveries WHERE state = 'pending'"):
            self._wake(row[0])
        self._serve("push", self._pusher.run())
        return position

    async def _proven_position(self) -> int:
        """Where the cursor stands. The outbox is a witness: it goes on only with the log that it has followed.

        The epoch may be another one, if the log was restored to this position or a later one: then all
        that was delivered did happen, and new deliveries get ids of the new epoch.
        """
        cursor = await self._ledger.rows("SELECT position, chain FROM cursor")
        if not cursor:
            return 0
        position, chain = cursor[0]
        if await asyncio.to_thread(self._reader.chain_at, position) == chain:
            return int(position)
        tip = await asyncio.to_thread(self._reader.tip)
        if tip.position < position:
            what = f"ends at {tip.position}: positions {tip.position + 1} to {position} are missing"
        else:
            what = f"(now at {tip.position}) holds another event there: it is another log"
        raise CampfireError(
            "LOG_DAMAGED",
            f"The outbox has followed the log to position {position}, but the log {what}. Nothing is sent.",
            position=min(position, tip.position + 1),
        )

    async def _plan(self, after: int) -> None:
        async for events in follow(self._reader, after, page=_PAGE):
            while True:
                try:
                    woken = await self._planner.take(events)
                    break
                except sqlite3.OperationalError as error:
                    log.error("outbox_unwritable", error=str(error))
                    await asyncio.sleep(_UNWRITABLE_SECONDS)
            for endpoint_id in woken:
                self._wake(endpoint_id)
            self._pusher.wake()

    async def _beat(self) -> None:
        """Leave word that this worker lives; health looks at it."""

        def step(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO worker (id, pid, alive_at) VALUES (1, ?, ?)",
                (os.getpid(), self._clock.now_ms()),
            )

        while True:
            try:
                await self._ledger.write(step)
            except sqlite3.OperationalError as error:
                log.error("outbox_unwritable", error=str(error))
            await asyncio.sleep(_HEARTBEAT_SECONDS)

    def _wake(self, endpoint_id: str) -> None:
        endpoint = self._endpoints.get(endpoint_id)
        if endpoint is None:
            endpoint = self._endpoints[endpoint_id] = EndpointSender(endpoint_id, self._means)
        endpoint.wake()
        serving = self._serving.get(endpoint_id)
        if (serving is None or serving.done()) and not self._stopping.is_set():
            self._serve(endpoint_id, endpoint.run())

    def _serve(self, name: str, running: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(running, name=f"endpoint {name}")
        self._serving[name] = task
        task.add_done_callback(self._note_end)

    def _note_end(self, task: "asyncio.Task[None]") -> None:
        """An endpoint that cannot be served for a reason of our own ends the worker: silence would hide it."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failed.put_nowait(error)


_TOLD: tuple[tuple[type[Exception], str, Callable[[Exception], str]], ...] = (
    (LogDamaged, "LOG_DAMAGED", lambda error: f"The log cannot be trusted: {error}. Nothing more is sent."),
    (UnknownTopic, "CONFIGURATION_INVALID", lambda error: f"This worker is too old for the log: {error}."),
    (FsyncFailed, "DATABASE_CONNECTION_FAILED", lambda error: f"The disk did not confirm a commit: {error}."),
    (sqlite3.DatabaseError, "DATABASE_CONNECTION_FAILED", lambda error: f"A database cannot be used: {error}."),
)


@contextmanager
def _telling() -> Iterator[None]:
    """Translate what ends a worker into the catalogue's words."""
    try:
        yield
    except tuple(kind for kind, _, _ in _TOLD) as error:
        code, sentence = next((code, sentence) for kind, code, sentence in _TOLD if isinstance(error, kind))
        raise CampfireError(code, sentence(error)) from error
