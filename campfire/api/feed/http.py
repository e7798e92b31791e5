"""The feed without WebSocket: Server-Sent Events, and long polling."""

import asyncio

from aiohttp import web

from campfire.api import schemas
from campfire.api.auth import Actor, authenticated
from campfire.api.feed import frames
from campfire.api.feed.cursor import Cursor, LastSeen, Start
from campfire.api.feed.frames import EncodedEvent, Heartbeat, Run, Signal
from campfire.api.feed.hub import FeedHub
from campfire.api.feed.query import last_seen
from campfire.api.feed.silence import notice_silence
from campfire.api.feed.subscriber import MOST_WAITING, SLOW_CONSUMER
from campfire.api.keys import ACTIVITY, ENGINE, HUB
from campfire.api.middleware import add_common_headers
from campfire.api.routes import answer, whole_number
from campfire.errors import CampfireError

LONGEST_WAIT = 25
_COMFORTABLE = 256 * 1024
"""Bytes below which a catch-up goes on."""


async def read_feed(request: web.Request) -> web.StreamResponse:
    """`GET /feed`: a stream of Server-Sent Events if the client accepts one, else a long poll."""
    actor = authenticated(request)
    if request.app[HUB].closing:
        raise CampfireError("SHUTTING_DOWN", retry_after=2)
    if "text/event-stream" in request.headers.get("Accept", ""):
        return await _stream(request, actor, last_seen(request))
    wait = whole_number(request, "wait", 0, 0, 3600)
    return await _poll(request, actor, last_seen(request), min(wait, LONGEST_WAIT))


class Poll:
    """A `Subscriber` that waits for the next events, and then no longer."""

    def __init__(self, hub: FeedHub, actor: Actor) -> None:
        self.user_id = actor.user_id
        self.session_id = actor.session_id
        self.events: list[EncodedEvent] = []
        self.seen_up_to = 0
        """The position that `events` reach to; known once it has ended."""
        self._hub = hub
        self._over = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Until there is something, or `seconds` have gone by."""
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            pass  # nothing happened: the answer is an empty page
        finally:
            self._detach()

    def begin(self, start: Start) -> None:
        self.seen_up_to = start.position

    def deliver(self, run: Run) -> None:
        self.events.extend(run.events)
        self._detach()

    def signal(self, signal: Signal) -> None:
        """Signals are for transports that stay open."""

    beat = signal

    def is_silent(self, now: float) -> bool:
        """Nothing can be heard of a poll, which is over soon anyway."""
        return False

    async def drained(self) -> None:
        """Nothing is sent before the end."""

    def end(self, code: int, reason: str) -> None:
        self._detach()

    def _detach(self) -> None:
        if not self._over.is_set():
            # Taken in the same step as leaving the hub: what comes later is the next poll's.
            self.seen_up_to = self._hub.position
            self._hub.detach(self)
            self._over.set()


async def _poll(request: web.Request, actor: Actor, last: LastSeen, wait: int) -> web.StreamResponse:
    hub = request.app[HUB]
    start = hub.start_of(last)
    if start.resync:
        return answer(schemas.FeedPage(events=[], position=start.position, epoch=start.epoch, resync=True))
    cursor = Cursor(request.app[ENGINE], actor.user_id, start.position)
    events: list[EncodedEvent] = []
    while not cursor.at_tip and not events:
        events = await cursor.read_page()
    position = cursor.position
    if not events and wait:
        poll = Poll(hub, actor)
        hub.attach(poll, Start(position, start.epoch, resync=False))
        await poll.wait(wait)
        events, position = poll.events, poll.seen_up_to
    if wait:
        request.app[ACTIVITY].connected.saw(actor.user_id)
    shown = [event.shown for event in events]
    return answer(schemas.FeedPage(events=shown, position=position, epoch=start.epoch, resync=False))


class Stream:
    """A `Subscriber` that keeps what comes until the client takes it, up to a bound."""

    def __init__(self, hub: FeedHub, actor: Actor, transport: asyncio.Transport | None) -> None:
        self.user_id = actor.user_id
        self.session_id = actor.session_id
        self._hub = hub
        self._transport = transport
        self._chunks: list[bytes] = []
        self._size = 0
        self._ended = False
        self._something = asyncio.Event()
        self._taken = asyncio.Event()

    async def next(self) -> bytes:
        """What has come since the last time, waiting for something; nothing at the end."""
        await self._something.wait()
        chunk = b"".join(self._chunks)
        self._chunks, self._size = [], 0
        self._taken.set()
        if not self._ended:
            self._something.clear()
        return chunk

    def begin(self, start: Start) -> None:
        """Tell an EventSource its place, and whether to load everything anew."""
        lines = b"retry: 2000\nid: %s:%d\n" % (start.epoch.encode(), start.position)
        if start.resync:
            self._add(lines + b"event: resync\ndata: %s\n\n" % frames.resync(start.position, start.epoch))
        else:
            place = frames.encode({"position": start.position, "epoch": start.epoch})
            self._add(lines + b"event: hello\ndata: %s\n\n" % place)

    def deliver(self, run: Run) -> None:
        self._add(run.server_sent(self._hub.epoch))

    def signal(self, signal: Signal) -> None:
        self._add(signal.server_sent)

    def beat(self, heartbeat: Heartbeat) -> None:
        """A comment, with the position as the id to resume from; an EventSource shows neither to its page."""
        self._add(b": still here\nid: %s:%d\n\n" % (self._hub.epoch.encode(), self._hub.position))

    def is_silent(self, now: float) -> bool:
        """An EventSource never answers, but the kernel knows whether it has gone, or acknowledges nothing."""
        return self._transport is None or self._transport.is_closing()

    async def drained(self) -> None:
        while self._size > _COMFORTABLE and not self._ended:
            self._taken.clear()
            await self._taken.wait()

    def end(self, code: int, reason: str) -> None:
        self._hub.detach(self)
        self._ended = True
        self._something.set()
        self._taken.set()
        if code == SLOW_CONSUMER and self._transport is not None:
            # Its handler waits for the client to read, which is what it does not do.
            self._chunks.clear()
            self._transport.abort()

    def _add(self, chunk: bytes) -> None:
        if self._ended:
            return
        if self._size > MOST_WAITING:
            self.end(SLOW_CONSUMER, "SLOW_CONSUMER")
            return
        self._chunks.append(chunk)
        self._size += len(chunk)
        self._something.set()


async def _stream(request: web.Request, actor: Actor, last: LastSeen) -> web.StreamResponse:
    hub = request.app[HUB]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    add_common_headers(request, response)
    response.force_close()
    await response.prepare(request)
    if request.transport is not None:
        notice_silence(request.transport)
    stream = Stream(hub, actor, request.transport)
    cursor = hub.attach(stream, hub.start_of(last))
    catching_up = None if cursor.at_tip else asyncio.create_task(hub.catch_up(stream, cursor))
    try:
        while chunk := await stream.next():
            await response.write(chunk)
    except ConnectionError:
        pass  # the client has gone; it resumes with Last-Event-ID
    finally:
        hub.detach(stream)
        if catching_up is not None:
            catching_up.cancel()
            await asyncio.gather(catching_up, return_exceptions=True)
    return response
