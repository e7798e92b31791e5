"""The worker: plans from the log, and lets every endpoint be served at its own pace.

Every endpoint has a task of its own (`endpoint_sender.py`), so a slow or dead one delays nobody else.
"""

import asyncio
import random
import sqlite3
from collections.abc import Coroutine, Iterable
from typing import Any

import structlog

from campfire.clock import Clock
from campfire.config import Settings
from campfire.domain.events import RecordedEvent
from campfire.errors import CampfireError
from campfire.eventlog.errors import FsyncFailed
from campfire.eventlog.follower import follow
from campfire.eventlog.reader import LogReader
from campfire.sealing import Sealer
from outbox import deliveries, pruning
from outbox.address_guard import AddressGuard
from outbox.bot_calls import BotCaller
from outbox.catch_up import CatchUp
from outbox.clock_set import watch_clock
from outbox.endpoint_sender import EndpointSender, Means
from outbox.hand_over import HandOver
from outbox.last_words import telling
from outbox.lease import Lease, LeaseLost
from outbox.ledger import Ledger
from outbox.metrics import Metrics
from outbox.notify import Notifier
from outbox.planner import Planner
from outbox.push import deliveries as push_deliveries
from outbox.push.means import PushMeans
from outbox.push.pusher import Pusher
from outbox.rendering import Renderer
from outbox.reporting import Reporting
from outbox.sender import Sender

_UNWRITABLE_SECONDS = 1.0
_PAGE = 200
"""Events planned in one transaction at most; results of deliveries wait for it, so it must be short."""

log = structlog.get_logger()


class Worker:
    """Run it until `stop`; whatever it was sending is then finished first, within the time that settings give.

    One holding of the lease: whoever has lost it makes another worker to stand by.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        chance: random.Random | None = None,
        *,
        metrics: Metrics | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        self._clock = clock
        self._stop_seconds = settings.outbox_stop_seconds
        self._lease = Lease(settings, clock)
        self._metrics = metrics or Metrics()
        self._notifier = notifier or Notifier(None)
        self._ledger = Ledger(settings.outbox_path, self._lease, self._metrics)
        self._sender = Sender(
            AddressGuard(settings.webhook_allow, settings.own_ports), clock, timeout=settings.webhook_timeout
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
        self._at_once = asyncio.Event()
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
            metrics=self._metrics,
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
        self._wake_all()

    def stop_at_once(self) -> None:
        """Do not even finish that: it is sent again, under the same ids, by the next worker."""
        self._at_once.set()
        self.stop()

    async def run(self) -> None:
        """Stand by until the outbox is ours, then deliver until stopped.

        Raises `LeaseLost` if another worker took over, and `CampfireError`: `LOG_DAMAGED` if the log is not the
        one followed so far or cannot be read, `CONFIGURATION_INVALID` if the key file or this version does
        not fit the log, `DATABASE_CONNECTION_FAILED` if a file cannot be trusted any more.
        """
        try:
            with telling():
                if await self._lease.acquire(self._stopping, self._note_standing_by):
                    await self._ledger.open()
                    await self._sender.open()
                    try:
                        await self._hold()
                    finally:
                        await self._sender.close()
                        await self._ledger.close()
        finally:
            self._metrics.holds(None)
            self._reader.close()

    async def _hold(self) -> None:
        self._metrics.holds(self._lease.epoch)
        try:
            after = await self._begin()
            self._metrics.state = "delivering"
            self._notifier.ready(f"delivering from position {after} on (epoch {self._lease.epoch})")
            await self._work(after)
        except (LeaseLost, FsyncFailed, sqlite3.DatabaseError):
            raise  # not ours, or not to be written any more; it is free once the process has ended
        except BaseException:
            await self._release()
            raise
        await self._release()

    async def _release(self) -> None:
        """Leave nothing half done, and let whoever stands by take over at once."""
        now = self._clock.now_ms()

        def step(connection: sqlite3.Connection) -> None:
            _take_back(connection, now)
            self._lease.release(connection)

        try:
            await self._ledger.write(step)
            log.info("outbox_released", epoch=self._lease.epoch)
        except (LeaseLost, sqlite3.OperationalError) as error:
            log.warning("outbox_not_released", error=str(error))

    def _note_standing_by(self, behind: str) -> None:
        self._metrics.state = "standing by"
        self._notifier.status(f"standing by: {behind}")

    async def _work(self, after: int) -> None:
        """Plan, beat and deliver until stopped, or until one of them cannot go on; then raise why."""
        beating = asyncio.create_task(self._beat(), name="heartbeat")
        own = [
            asyncio.create_task(self._plan(after), name="planner"),
            asyncio.create_task(self._catch_up.run(), name="catching up"),
            asyncio.create_task(watch_clock(self._clock, self._ledger, self._wake_all), name="clock"),
            asyncio.create_task(self._hand_over.run(), name="answers"),
            asyncio.create_task(pruning.run(self._ledger, self._clock.now_ms, self._stopping), name="pruning"),
            asyncio.create_task(self._reporting.run(), name="reports"),
            asyncio.create_task(self._failed.get(), name="failures"),
        ]
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({*own, beating, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (*own, stopped):
            task.cancel()
        results = await asyncio.gather(*own, return_exceptions=True)
        self.stop()
        if not any(isinstance(result, LeaseLost) for result in results) and not beating.done():
            await self._finish({*self._serving.values()})
        beating.cancel()  # not earlier: what is being finished is still ours alone
        results += await asyncio.gather(beating, return_exceptions=True)
        results += await _given_up(self._serving.values())
        for result in results:
            if isinstance(result, Exception):  # raised, or handed over by an endpoint's task
                raise result

    async def _finish(self, serving: "set[asyncio.Task[None]]") -> None:
        """Let what is on its way arrive and be written down, for as long as that may take."""
        at_once = asyncio.create_task(self._at_once.wait())
        try:
            async with asyncio.timeout(self._stop_seconds):
                while (unfinished := [task for task in serving if not task.done()]) and not at_once.done():
                    await asyncio.wait([at_once, *unfinished], return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            log.warning("deliveries_given_up", endpoints=sum(not task.done() for task in serving))
        at_once.cancel()

    async def _begin(self) -> int:
        """Prove the log against the cursor, take back what a crash left, wake the endpoints that have work."""
        position = await self._proven_position()
        now = self._clock.now_ms()
        await self._ledger.write(lambda connection: _take_back(connection, now))
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
            for page in self._planner.pages(events):
                await self._plan_page(page)

    async def _plan_page(self, events: list[RecordedEvent]) -> None:
        while True:
            try:
                woken = await self._planner.take(events)
                break
            except sqlite3.OperationalError as error:
                log.error("outbox_unwritable", error=str(error))
                await asyncio.sleep(_UNWRITABLE_SECONDS)
        self._metrics.seen(events)
        for endpoint_id in woken:
            self._wake(endpoint_id)
        self._pusher.wake()

    async def _beat(self) -> None:
        """Keep the lease, and so leave word that this worker lives. Raises `LeaseLost`."""
        while True:
            try:
                await self._ledger.renew()
            except sqlite3.OperationalError as error:
                log.error("outbox_unwritable", error=str(error))
            await asyncio.sleep(self._lease.renew_every)

    def _wake_all(self) -> None:
        for endpoint in self._endpoints.values():
            endpoint.wake()
        self._pusher.wake()

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


def _take_back(connection: sqlite3.Connection, now: int) -> None:
    deliveries.take_back(connection, now)
    push_deliveries.take_back(connection, now)


async def _given_up(tasks: "Iterable[asyncio.Task[None]]") -> list[Any]:
    """End `tasks`, however often they have to be told, and return what they ended with."""
    tasks = list(tasks)
    while any(not task.done() for task in tasks):
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=0.1)
    return await asyncio.gather(*tasks, return_exceptions=True)
