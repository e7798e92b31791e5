"""The feed without WebSocket: Server-Sent Events, and long polling."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import Actor, authenticated
from campfire.api.feed import frames
from campfire.api.feed.frames import EncodedEvent, Run
from campfire.api.feed.hub import FeedHub, Start
from campfire.api.feed.query import since_of
from campfire.api.keys import ENGINE, HUB
from campfire.api.routes import answer, whole_number
from campfire.errors import CampfireError

LONGEST_WAIT = 25
_MOST_WAITING_RUNS = 2_000


async def read_feed(request: web.Request) -> web.StreamResponse:
    """`GET /feed`: a stream of Server-Sent Events if the client accepts one, else a long poll."""
    actor = authenticated(request)
    if request.app[HUB].closing:
        raise CampfireError("SHUTTING_DOWN", retry_after=2)
    since, epoch = since_of(request)
    if "text/event-stream" in request.headers.get("Accept", ""):
        return await _stream(request, actor, since, epoch)
    wait = whole_number(request, "wait", 0, 0, 3600)
    return await _poll(request, actor, since, epoch, min(wait, LONGEST_WAIT))


class Waiting:
    """A `Subscriber` that keeps what comes until it is asked for."""

    def __init__(self, hub: FeedHub, actor: Actor) -> None:
        self.user_id = actor.user_id
        self.session_id = actor.session_id
        self._hub = hub
        self.begun: Start | None = None
        self.runs: list[Run] = []
        self.signals: list[bytes] = []
        self.ended = False
        self._something = asyncio.Event()

    def begin(self, start: Start) -> None:
        self.begun = start
        self._something.set()

    def deliver(self, runs: Sequence[Run]) -> None:
        if len(self.runs) > _MOST_WAITING_RUNS:
            self.end(1013, "SLOW_CONSUMER")
            return
        self.runs.extend(runs)
        self._something.set()

    def signal(self, frame: bytes) -> None:
        self.signals.append(frame)
        self._something.set()

    async def drained(self) -> None:
        await asyncio.sleep(0)

    def end(self, code: int, reason: str) -> None:
        self._hub.detach(self)
        self.ended = True
        self._something.set()

    async def something(self) -> None:
        """Wait until there is something to take, or the end."""
        await self._something.wait()
        self._something.clear()

    def take(self) -> tuple[list[Run], list[bytes]]:
        runs, signals = self.runs, self.signals
        self.runs, self.signals = [], []
        return runs, signals


async def _poll(
    request: web.Request, actor: Actor, since: int | None, epoch: str | None, wait: int
) -> web.StreamResponse:
    hub, engine = request.app[HUB], request.app[ENGINE]
    start = hub.start_of(since, epoch)
    if start.resync:
        return answer(schemas.FeedPage(events=[], position=start.position, epoch=start.epoch, resync=True))
    position = start.position
    events: list[EncodedEvent] = []
    while position < engine.position and not events:
        position, events = await hub.read_visible(actor.user_id, position)
    if not events and wait:
        position, events = await _wait(hub, actor, position, start.epoch, wait, engine)
    seen = [event.frame for event in events]
    return answer(schemas.FeedPage(events=seen, position=position, epoch=start.epoch, resync=False))


async def _wait(
    hub: FeedHub, actor: Actor, position: int, epoch: str, wait: int, engine: Any
) -> tuple[int, list[EncodedEvent]]:
    """Wait for the next events after `position`, at most `wait` seconds."""
    waiting = Waiting(hub, actor)
    try:
        async with asyncio.timeout(wait):
            await hub.attach(waiting, position, epoch)
            while not waiting.runs and not waiting.ended:
                await waiting.something()
    except TimeoutError:
        pass  # nothing happened: the answer is an empty page
    finally:
        hub.detach(waiting)
    events = [event for run in waiting.runs for event in run.events]
    # Without an await since the last delivery, so everything up to here has been seen or is in `events`.
    return (events[-1].position if waiting.ended and events else max(position, engine.position)), events


async def _stream(request: web.Request, actor: Actor, since: int | None, epoch: str | None) -> web.StreamResponse:
    hub = request.app[HUB]
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    waiting = Waiting(hub, actor)
    attaching = asyncio.create_task(hub.attach(waiting, since, epoch))
    try:
        begun = False
        while not waiting.ended:
            runs, _signals = waiting.take()
            if waiting.begun is not None and not begun:
                begun = True
                await response.write(_beginning(waiting.begun))
            for run in runs:
                await response.write(run.server_sent(hub.epoch))
            if not runs:
                await _comment_when_quiet(response, waiting)
    except (ConnectionResetError, ConnectionError):
        pass  # the client has gone; it resumes with Last-Event-ID
    finally:
        hub.detach(waiting)
        attaching.cancel()
        await asyncio.gather(attaching, return_exceptions=True)
    return response


async def _comment_when_quiet(response: web.StreamResponse, waiting: Waiting) -> None:
    """Wait for something; a heartbeat's frame becomes a comment, which keeps proxies from closing the stream."""
    await waiting.something()
    if waiting.signals:
        await response.write(b": still here\n\n")


def _beginning(start: Start) -> bytes:
    """What an EventSource needs to know first: its place, and whether to load everything anew."""
    lines = b"retry: 2000\nid: %s:%d\n" % (start.epoch.encode(), start.position)
    if start.resync:
        return lines + b"event: resync\ndata: %s\n\n" % frames.resync(start.position, start.epoch)
    return lines + b"event: hello\ndata: %s\n\n" % frames.encode({"position": start.position, "epoch": start.epoch})
