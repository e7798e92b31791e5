"""The feed over WebSocket, and what a client says over it.

Frames to the client are made once for everybody and written straight to the transport: aiohttp's
own writer does the same for an uncompressed, unfragmented frame, synchronously and without a lock
(so both may be mixed), but would build the frame anew for each connection. Its back-pressure is
replaced by a cap on what may wait in the transport.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from campfire.api.auth import Actor, authenticated, require_same_origin
from campfire.api.feed import frames
from campfire.api.feed.frames import ClientFrame, Enter, Leave, Post, Read, Run, Typing
from campfire.api.feed.hub import Start
from campfire.api.feed.query import since_of
from campfire.api.keys import ACTIVITY, ENGINE, HUB, RATE_LIMITER, REQUEST_ID
from campfire.api.posting import post_message
from campfire.api.problems import problem_from
from campfire.errors import CampfireError

_MOST_WAITING = 4 * 1024 * 1024
"""Bytes that a connection may leave unread before it is closed; it resumes where it was."""
_COMFORTABLE = 256 * 1024
"""Bytes below which a catch-up goes on."""
_LARGEST_FRAME = 512 * 1024
_POSTS_AT_ONCE = 64


async def open_socket(request: web.Request) -> web.StreamResponse:
    """`GET /ws`: the feed from `since`, and posting with acknowledgement after the commit."""
    actor = authenticated(request)
    require_same_origin(request)
    if request.app[HUB].closing:
        raise CampfireError("SHUTTING_DOWN", retry_after=2)
    since, epoch = since_of(request)
    socket = web.WebSocketResponse(compress=False, max_msg_size=_LARGEST_FRAME, timeout=5)
    if not socket.can_prepare(request):
        raise CampfireError("WEBSOCKET_CONNECTION_FAILED", "This address speaks WebSocket only.")
    await socket.prepare(request)
    return await Connection(request, socket, actor).serve(since, epoch)


class Connection:
    """One socket: a `Subscriber` of the hub, and the client's own frames."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse, actor: Actor) -> None:
        self.user_id = actor.user_id
        self.session_id = actor.session_id
        self._actor = actor
        self._request = request
        self._engine = request.app[ENGINE]
        self._hub = request.app[HUB]
        self._activity = request.app[ACTIVITY]
        self._socket = socket
        assert request.transport is not None
        self._transport: asyncio.WriteTransport = request.transport  # type: ignore[assignment]
        self._rooms: set[str] = set()
        self._posts: set[asyncio.Task[None]] = set()
        self._ending: asyncio.Task[Any] | None = None

    async def serve(self, since: int | None, epoch: str | None) -> web.WebSocketResponse:
        """Run until the socket closes."""
        attaching = asyncio.create_task(self._hub.attach(self, since, epoch))
        try:
            async for message in self._socket:
                if message.type == WSMsgType.TEXT:
                    await self._take(message.data)
                elif message.type == WSMsgType.BINARY:
                    self._refuse(None, CampfireError("MALFORMED_REQUEST", "Send JSON in text frames."))
        finally:
            self._hub.detach(self)
            attaching.cancel()
            await asyncio.gather(attaching, *self._posts, return_exceptions=True)
            await self._leave_rooms()
        return self._socket

    def begin(self, start: Start) -> None:
        user = self._engine.directory.users[self.user_id]
        me = {"id": user.id, "name": user.name, "role": user.role}
        self._write(frames.text_frame(frames.hello(start.position, start.epoch, me)))
        if start.resync:
            self._write(frames.text_frame(frames.resync(start.position, start.epoch)))

    def deliver(self, runs: Sequence[Run]) -> None:
        self._write(runs[0].websocket if len(runs) == 1 else frames.joined(runs))

    def signal(self, frame: bytes) -> None:
        self._write(frames.text_frame(frame))

    async def drained(self) -> None:
        while self._transport.get_write_buffer_size() > _COMFORTABLE and not self._transport.is_closing():
            await asyncio.sleep(0.01)

    def end(self, code: int, reason: str) -> None:
        if self._ending is None:
            self._hub.detach(self)
            self._ending = asyncio.create_task(self._close(code, reason))

    async def _close(self, code: int, reason: str) -> None:
        await self._socket.close(code=code, message=reason.encode(), drain=False)
        if code == WSCloseCode.TRY_AGAIN_LATER:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._ending is not None or self._socket.closed or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > _MOST_WAITING:
            self.end(WSCloseCode.TRY_AGAIN_LATER, "SLOW_CONSUMER: resume from your last position")
            return
        self._transport.write(data)

    async def _take(self, text: str) -> None:
        try:
            frame = frames.decode_client_frame(text.encode())
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
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
        if isinstance(frame, Typing):
            self._activity.typing(frame.room_id, self.user_id, is_typing=frame.typing)
        elif isinstance(frame, Enter):
            if frame.room_id not in self._rooms:
                await self._activity.enter(frame.room_id, self.user_id)
                self._rooms.add(frame.room_id)
        elif isinstance(frame, Leave):
            if frame.room_id in self._rooms:
                self._rooms.discard(frame.room_id)
                await self._activity.leave(frame.room_id, self.user_id)
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
            limiter = self._request.app.get(RATE_LIMITER)
            if limiter is not None:
                limiter.take(self.user_id)
            message = await post_message(
                self._engine,
                self.user_id,
                room_id=frame.room_id,
                body=frame.body,
                client_message_id=frame.client_message_id,
                overflow=frame.overflow,
            )
        except Exception as error:
            self._refuse(frame.ref, error)
        else:
            self._write(frames.text_frame(frames.ack(frame.ref, message.position, message)))

    def _refuse(self, ref: str | int | None, error: Exception) -> None:
        self._write(frames.text_frame(frames.error(ref, problem_from(error, self._request[REQUEST_ID]))))

    async def _leave_rooms(self) -> None:
        for room_id in self._rooms:
            try:
                await self._activity.leave(room_id, self.user_id)
            except CampfireError:
                # The log cannot take it now (stopping, or a full disk); the next start closes every presence.
                break


def _malformed(error: Exception) -> Exception:
    if isinstance(error, msgspec.ValidationError):
        return error
    return CampfireError("MALFORMED_REQUEST", "The frame is not JSON that can be read.")


def _ref_of(text: str) -> str | int | None:
    """The ref of a frame that is otherwise wrong, so that the client knows which one."""

    class OnlyRef(msgspec.Struct):
        ref: str | int | None = None

    try:
        return msgspec.json.decode(text, type=OnlyRef).ref
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return None
