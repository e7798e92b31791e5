"""What goes over the wire: each event encoded once, for whoever wants it in whatever framing."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal

import msgspec

from campfire.api.problems import Problem
from campfire.domain.events import MessageEdited, MessagePosted, RecordedEvent
from campfire.domain.public_view import View, iso_time, public_view

encode = msgspec.json.Encoder().encode


class Post(msgspec.Struct, frozen=True, tag="post", tag_field="type"):
    """Post a message; answered by an ack with the same `ref`."""

    room_id: str
    body: str
    client_message_id: str | None = None
    ref: str | int | None = None
    overflow: Literal["refuse", "truncate"] = "refuse"


class Typing(msgspec.Struct, frozen=True, tag="typing", tag_field="type"):
    room_id: str
    typing: bool = True
    ref: str | int | None = None


class Enter(msgspec.Struct, frozen=True, tag="enter", tag_field="type"):
    room_id: str
    ref: str | int | None = None


class Leave(msgspec.Struct, frozen=True, tag="leave", tag_field="type"):
    room_id: str
    ref: str | int | None = None


class Read(msgspec.Struct, frozen=True, tag="read", tag_field="type"):
    """Everything up to `position` has been read."""

    room_id: str
    position: int
    ref: str | int | None = None


ClientFrame = Post | Typing | Enter | Leave | Read
decode_client_frame = msgspec.json.Decoder(ClientFrame).decode


class EncodedEvent:
    """One event as JSON, made once for everybody who may see it."""

    def __init__(self, recorded: RecordedEvent, *, without_text: bool = False) -> None:
        view = public_view(recorded.event)
        if without_text and view is not None:
            view = {**view, "body": "", "deleted": True}
        self.position = recorded.position
        self.frame: View = {
            "type": "event",
            "position": recorded.position,
            "event": recorded.event.topic,
            "at": iso_time(recorded.event.at),
            "data": view,
        }

    @cached_property
    def json(self) -> bytes:
        return encode(self.frame)


class Run:
    """Consecutive events with one audience, joined for one write to each connection."""

    def __init__(self, events: list[EncodedEvent]) -> None:
        self.events = events

    @cached_property
    def websocket(self) -> bytes:
        return b"".join(text_frame(event.json) for event in self.events)

    def server_sent(self, epoch: str) -> bytes:
        return b"".join(server_sent_event(event, epoch) for event in self.events)


def holds_text(recorded: RecordedEvent) -> bool:
    """Whether the event carries words that a later deletion takes back."""
    return isinstance(recorded.event, (MessagePosted, MessageEdited))


def text_frame(payload: bytes) -> bytes:
    """A whole, unmasked text frame (RFC 6455 section 5.2)."""
    length = len(payload)
    if length < 126:
        return b"\x81" + bytes((length,)) + payload
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big") + payload
    return b"\x81\x7f" + length.to_bytes(8, "big") + payload


def server_sent_event(event: EncodedEvent, epoch: str) -> bytes:
    """The event for an EventSource (WHATWG HTML section 9.2); its id is what Last-Event-ID will say."""
    return b"id: %s:%d\ndata: %s\n\n" % (epoch.encode(), event.position, event.json)


def hello(position: int, epoch: str, user: dict[str, Any]) -> bytes:
    return encode({"type": "hello", "position": position, "epoch": epoch, "user": user})


def resync(position: int, epoch: str) -> bytes:
    return encode({"type": "resync", "position": position, "epoch": epoch})


def status(position: int, facts: dict[str, Any]) -> bytes:
    return encode({"type": "status", "position": position, **facts})


def ack(ref: str | int | None, position: int, data: Any) -> bytes:
    return encode({"type": "ack", "ref": ref, "position": position, "data": data})


def error(ref: str | int | None, problem: Problem) -> bytes:
    return encode({"type": "error", "ref": ref, "error": problem})


def typing(room_id: str, user_id: str, name: str, *, is_typing: bool) -> bytes:
    return encode(
        {"type": "typing", "room_id": room_id, "user": {"id": user_id, "name": name}, "typing": is_typing}
    )


def presence(room_id: str, user_id: str, *, present: bool) -> bytes:
    return encode({"type": "presence", "room_id": room_id, "user_id": user_id, "present": present})


def joined(runs: Iterable[Run]) -> bytes:
    """The WebSocket frames of several runs in one piece."""
    return b"".join(run.websocket for run in runs)
