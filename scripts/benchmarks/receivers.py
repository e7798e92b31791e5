"""A thousand people with the room open: raw WebSocket receivers that count messages without reading them."""

import asyncio
import time
from collections import deque
from functools import partial
from typing import cast

from benchmarks.load_http import FirstFailure, Sender, Target
from benchmarks.websocket_frames import Scan, handshake, pong, scan, stamps

_CONNECTING_AT_ONCE = 50
_GREETING_SECONDS = 30


class Crowd:
    """All receivers together: what they got, and which senders wait for them.

    At most `window` messages are under way that not everybody has got yet: without a bound, senders
    would only measure how much a server buffers before it disconnects the slow.
    """

    def __init__(self, members: int, window: int, *, stamped: bool) -> None:
        self.members = members
        self.delivered = 0
        self.acknowledged = 0
        self.stamped = stamped
        self.sent_at: dict[int, int] = {}
        self.receipts: dict[int, list[int]] = {}
        """Message number to the receipts' times (monotonic ns), when `stamped`."""
        self.failure = FirstFailure()
        self._window = window
        self._parked: deque[Sender] = deque()
        self._last: tuple[bytes, Scan] = (b"", Scan(0, 0, [], None))

    def look_at(self, data: bytes) -> Scan:
        """Scan a chunk; everybody gets the same bytes, so one just scanned is only compared."""
        if data == self._last[0]:
            return self._last[1]
        seen = scan(data)
        self._last = (data, seen)
        return seen

    def took(self, messages: int, chunk: bytes) -> None:
        """Count what a receiver got in `chunk`, and let a sender go on if that made room."""
        self.delivered += messages
        if self.stamped:
            now = time.monotonic_ns()
            for number in stamps(chunk):
                self.receipts.setdefault(number, []).append(now)
        while self._parked and self._has_room():
            self._parked.popleft().send()

    def send_next(self, sender: Sender) -> None:
        """Let `sender` send now, or as soon as everybody has kept up."""
        if self._has_room():
            sender.send()
        else:
            self._parked.append(sender)

    def hold_all(self) -> None:
        """Let nobody who waits send any more."""
        self._parked.clear()

    def _has_room(self) -> bool:
        return self.acknowledged * self.members - self.delivered < self._window * self.members


class Receiver(asyncio.Protocol):
    """One person's WebSocket. `greeted` is set at the first frame after the handshake."""

    def __init__(self, crowd: Crowd, opening: bytes) -> None:
        self._crowd = crowd
        self._opening = opening
        self._is_open = False
        self._rest = b""
        self._transport: asyncio.Transport
        self.greeted = asyncio.Event()
        self.is_closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class
        self._transport.write(self._opening)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
            self._rest = b""
        if not self._is_open:
            data = self._after_handshake(data)
        if not data:
            return
        seen = self._crowd.look_at(data)
        if seen.used:
            self.greeted.set()
        if seen.used < len(data):
            self._rest = data[seen.used :]
        for payload in seen.pings:
            self._transport.write(pong(payload))
        if seen.closed is not None and not self.is_closing:
            self._crowd.failure.fail(f"the server closed a WebSocket: {seen.closed}")
        if seen.messages:
            self._crowd.took(seen.messages, data[: seen.used] if self._crowd.stamped else data)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.is_closing:
            self._crowd.failure.fail(f"a WebSocket was cut: {error}")

    def close(self) -> None:
        self.is_closing = True
        self._transport.close()

    def _after_handshake(self, data: bytes) -> bytes:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._rest = data
            return b""
        if not data.startswith(b"HTTP/1.1 101"):
            self._crowd.failure.fail(f"the WebSocket was refused: {data[:600].decode(errors='replace')}")
            return b""
        self._is_open = True
        return data[end + 4 :]


async def connect_receivers(crowd: Crowd, target: Target, tokens: list[str]) -> list[Receiver]:
    """One greeted receiver for each token. Raises `UnexpectedAnswer` if one is refused or not greeted."""
    loop = asyncio.get_running_loop()
    receivers: list[Receiver] = []
    for first in range(0, len(tokens), _CONNECTING_AT_ONCE):
        some = [
            Receiver(crowd, handshake(target.host, target.port, token))
            for token in tokens[first : first + _CONNECTING_AT_ONCE]
        ]
        for receiver in some:
            await loop.create_connection(partial(_same, receiver), target.host, target.port)
        await _greeted(some, crowd)
        receivers += some
    return receivers


def _same(receiver: Receiver) -> Receiver:
    return receiver


async def _greeted(receivers: list[Receiver], crowd: Crowd) -> None:
    greetings = [asyncio.create_task(receiver.greeted.wait()) for receiver in receivers]
    all_greeted = asyncio.gather(*greetings)
    await asyncio.wait(
        (all_greeted, crowd.failure.future), timeout=_GREETING_SECONDS, return_when=asyncio.FIRST_COMPLETED
    )
    if not all_greeted.done():
        all_greeted.cancel()
        crowd.failure.fail(f"a WebSocket was not greeted within {_GREETING_SECONDS} s")
        crowd.failure.future.result()
