"""As much of RFC 6455 as receiving at speed needs: frames are told apart by their lengths, texts are not decoded."""

import base64
import os

import msgspec

POSTED = b"message.posted"
"""Stands in every frame that brings a message, and in no other."""

_TEXT, _CLOSE, _PING = 1, 8, 9


class Scan(msgspec.Struct, frozen=True):
    """What a chunk held: `messages` complete ones, and how many bytes of it were complete frames."""

    messages: int
    used: int
    pings: list[bytes]
    closed: str | None


def scan(data: bytes) -> Scan:
    """Walk the frames of `data` by their length prefixes (§5.2; a server's frames are not masked)."""
    at, messages = 0, 0
    pings: list[bytes] = []
    closed: str | None = None
    while (bounds := _payload(data, at)) is not None:
        start, end = bounds
        kind = data[at] & 0x0F
        if kind == _TEXT:
            messages += data.find(POSTED, start, end) >= 0
        elif kind == _PING:
            pings.append(data[start:end])
        elif kind == _CLOSE:
            code = int.from_bytes(data[start : start + 2], "big")
            closed = f"{code} {data[start + 2 : end].decode(errors='replace')}"
        at = end
    return Scan(messages, at, pings, closed)


def _payload(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the payload of the frame at `at` begins and ends; None if it is not all there."""
    size = len(data)
    if size - at < 2:
        return None
    length, start = data[at + 1], at + 2
    if length >= 126:
        start += 2 if length == 126 else 8
        if start > size:
            return None
        length = int.from_bytes(data[at + 2 : start], "big")
    end = start + length
    return (start, end) if end <= size else None


def stamps(data: bytes) -> list[int]:
    """The numbers at the beginning of the message bodies in `data`, in order."""
    found: list[int] = []
    at = data.find(b'"body":"@')
    while at >= 0:
        found.append(int(data[at + 9 : at + 21]))
        at = data.find(b'"body":"@', at + 21)
    return found


def pong(payload: bytes) -> bytes:
    """The answer to a ping, masked with zeros (a client must mask; the key may be any)."""
    return bytes((0x8A, 0x80 | len(payload))) + bytes(4) + payload


def text_frame(payload: bytes) -> bytes:
    """A server's unmasked text frame."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2, "big") + payload
    return b"\x81\x7f" + length.to_bytes(8, "big") + payload


def handshake(host: str, port: int, token: str) -> bytes:
    """A client's opening request for `/ws` (§4.1), without compression."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()
