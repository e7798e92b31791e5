"""The feed over WebSocket, and what a client says over it.

Frames to the client are made once for everybody and written straight to the transport: aiohttp's
own writer does the same for an uncompressed, unfragmented frame, synchronously and without a lock
(so both may be mixed), but would build the frame anew for each connection. Its back-pressure is
replaced by a cap on what may wait in the transport.
"""

import asyncio
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from campfire.api.auth import Actor, authenticated, require_same_origin
from campfire.api.feed import frames
from campfire.api.feed.cursor import LastSeen, Start
from campfire.api.feed.frames import ClientFrame, Enter, Leave, Post, Read, Ref, Run, Signal, Typing
from campfire.api.feed.leases import Lease
from campfire.api.feed.query import last_seen
from campfire.api.feed.silence import notice_silence
from campfire.api.feed.subscriber import MOST_WAITING, RESTARTING, SLOW_CONSUMER
from campfire.api.keys import ACTIVITY, ENGINE, HUB, RATE_LIMITER, REQUEST_ID
from campfire.api.posting import post_message
from campfire.api.problems import problem_from
from campfire.errors import CampfireError

_COMFORTABLE = 256 * 1024
"""Bytes below which a catch-up goes on."""
_LARGEST_FRAME = 512 * 1024
_POSTS_AT_ONCE = 64
_THE_END = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED)
_LAST_WORDS_SECONDS = 5
"""For a client to read why it is closed, and for its posts to be acknowledged before a restart."""


async def open_socket(request: web.Request) -> web.StreamResponse:
    """`GET /ws`: the feed from `since`, and posting with acknowledgement after the commit."""
    actor = authenticated(request)
    require_same_origin(request)
    if request.app[HUB].closing:
        raise CampfireError("SHUTTING_DOWN", retry_after=2)
    # Pings and pongs come to us, since aiohttp would not tell of pongs, and would time each connection by itself.
    socket = web.WebSocketResponse(
        compress=False, max_msg_size=_LARGEST_FRAME, timeout=_LAST_WORDS_SECONDS, autoping=False
    )
    if not socket.can_prepare(request):
        raise CampfireError("WEBSOCKET_CONNECTION_FAILED", "This address speaks WebSocket only.")
    await socket.prepare(request)
    transport = request.transport
    if transport is not None:
        notice_silence(transport)
        await Connection(request, transport, socket, actor).serve(last_seen(request))
    return socket


class Connection:
    """One socket: a `Subscriber` of the hub, and the client's own frames."""

    def __init__(
        self, request: web.Request, transport: asyncio.Transport, socket: web.WebSocketResponse, actor: Actor
    ) -> None:
        self.user_id = actor.user_id
        self.session_id = actor.session_id
        self._request = request
        self._engine = request.app[ENGINE]
        self._hub = request.app[HUB]
        self._activity = request.app[ACTIVITY]
        self._socket = socket
        self._transport = transport
        self._lease = Lease(
            actor.user_id, actor.session_id, now=self._engine.clock.monotonic(), position=self._engine.position
        )
        self._posts: set[asyncio.Task[None]] = set()
        self._ending: asyncio.Task[Any] | None = None

    async def serve(self, last: LastSeen) -> None:
        """Run until the socket closes."""
        cursor = self._hub.attach(self, self._hub.start_of(last))
        # Who misses nothing is live already, and an idle connection costs no task beside its handler's.
        catching_up = None if cursor.at_tip else asyncio.create_task(self._hub.catch_up(self, cursor))
        try:
            await self._read()
        finally:
            self._hub.detach(self)
            if catching_up is not None:
                catching_up.cancel()
                await asyncio.gather(catching_up, return_exceptions=True)
            await asyncio.gather(*self._posts, return_exceptions=True)
            self._activity.break_off(self._lease)
            if self._ending is not None:
                await self._ending

    def begin(self, start: Start) -> None:
        user = self._engine.directory.users[self.user_id]
        me = {"id": user.id, "name": user.name, "role": user.role}
        self._write(frames.text_frame(frames.hello(start.position, start.epoch, me)))
        if start.resync:
            self._write(frames.text_frame(frames.resync(start.position, start.epoch)))

    def deliver(self, run: Run) -> None:
        self._write(run.websocket)

    def signal(self, signal: Signal) -> None:
        self._write(signal.websocket)

    beat = signal

    def is_silent(self, now: float) -> bool:
        return self._lease.is_over(now)

    async def drained(self) -> None:
        # A transport tells only its protocol, which is aiohttp's, when its buffer has emptied.
        transport = self._transport
        while transport.get_write_buffer_size() > _COMFORTABLE and not transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        # Pings begin when it is live; until then that it takes what it is sent is all that can be heard of it.
        self._hear()

    def end(self, code: int, reason: str) -> None:
        self._hub.detach(self)
        if self._ending is None:
            self._ending = asyncio.create_task(self._close(code, reason))

    async def _close(self, code: int, reason: str) -> None:
        if code == RESTARTING and self._posts:
            await asyncio.wait(self._posts, timeout=_LAST_WORDS_SECONDS)
        # A client that reads nothing would keep what waits for it, and the server's shutdown, for ever.
        asyncio.get_running_loop().call_later(_LAST_WORDS_SECONDS, self._transport.abort)
        await self._socket.close(code=code, message=reason.encode(), drain=False)

    def _write(self, data: bytes) -> None:
        if self._socket.closed or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > MOST_WAITING:
            self.end(SLOW_CONSUMER, "SLOW_CONSUMER")
            return
        self._transport.write(data)

    async def _read(self) -> None:
        """Take what the client sends until it or we close. Whatever comes is a sign of life."""
        while (message := await self._socket.receive()).type not in _THE_END:
            if message.type == WSMsgType.ERROR:
                continue
            self._hear()
            if self._ending is not None:
                continue
            if message.type == WSMsgType.TEXT:
                self._lease.busy = True
                await self._take(message.data)
                self._lease.busy = False
                self._hear()
            elif message.type == WSMsgType.PING:
                self._write(frames.pong_frame(message.data))
            elif message.type == WSMsgType.BINARY:
                self._refuse(None, CampfireError("MALFORMED_REQUEST", "Send JSON in text frames."))
        if message.type == WSMsgType.CLOSE:
            self._hear()

    def _hear(self) -> None:
        self._lease.heard(self._engine.clock.monotonic(), self._engine.position)

    async def _take(self, text: str) -> None:
        try:
            frame = frames.decode_client_frame(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            self._refuse(_ref_of(text), _malformed(error))
            return
        if isinstance(frame, Post):
            await self._post_soon(frame)
            return
        try:
            await self._do(frame)
        except Exception as error:
            self._refuse(frame.ref, error)

    async def _do(self, frame: ClientFrame) -> None:
        if not isinstance(frame, Typing):  # which is limited by itself, and never becomes an event
            self._count()
        if isinstance(frame, Typing):
            typing = self._activity.typing
            (typing.start if frame.typing else typing.stop)(frame.room_id, self.user_id)
        elif isinstance(frame, Enter):
            await self._activity.presences.enter(self._lease, frame.room_id)
        elif isinstance(frame, Leave):
            await self._activity.leave(self._lease, frame.room_id)
        elif isinstance(frame, Read):
            self._activity.read(frame.room_id, self.user_id, frame.position)
        if frame.ref is not None:
            self._write(frames.text_frame(frames.ack(frame.ref, self._engine.position, None)))

    async def _post_soon(self, frame: Post) -> None:
        """Posts of one connection go side by side into the same commit, up to a bound; then reading waits."""
        if len(self._posts) >= _POSTS_AT_ONCE:
            await asyncio.wait(self._posts, return_when=asyncio.FIRST_COMPLETED)
        post = asyncio.create_task(self._post(frame))
        self._posts.add(post)
        post.add_done_callback(self._posts.discard)

    async def _post(self, frame: Post) -> None:
        try:
            self._count()
            message = await post_message(
                self._engine,
                self.user_id,
                room_id=frame.room_id,
                body=frame.body,
                uploads=frame.uploads,
                client_message_id=frame.client_message_id,
                overflow=frame.overflow,
                reply_to=frame.reply_to,
            )
        except Exception as error:
            self._refuse(frame.ref, error)
        else:
            self._write(frames.text_frame(frames.ack(frame.ref, message.position, message)))

    def _count(self) -> None:
        """Take from the person's allowance, the same as over HTTP."""
        limiter = self._request.app.get(RATE_LIMITER)
        if limiter is not None:
            limiter.take(self.user_id)

    def _refuse(self, ref: Ref, error: Exception) -> None:
        self._write(frames.text_frame(frames.error(ref, problem_from(error, self._request[REQUEST_ID]))))


def _malformed(error: Exception) -> Exception:
    """What a client is told: which value is wrong, or else that the frame is none of those that there are."""
    if isinstance(error, msgspec.ValidationError) and "`$." in str(error) and "`$.type`" not in str(error):
        return error
    return CampfireError("MALFORMED_REQUEST", "The frame is not JSON of a known type.")


def _ref_of(text: str) -> Ref:
    """The ref of a frame that is otherwise wrong, so that the client knows which one."""
    try:
        return frames.decode_only_ref(text).ref
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
