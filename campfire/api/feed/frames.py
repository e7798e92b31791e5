"""What goes over the wire: each event encoded once, for whoever wants it in whatever framing."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from campfire.api.problems import Problem
from campfire.domain.events import MessageEdited, MessagePosted, MessagePreviewed, RecordedEvent
from campfire.domain.public_view import View, public_view
from campfire.iso_times import iso_from_ms

encode = msgspec.json.Encoder().encode

_GONE: View = {"body": "", "link_previews": []}
"""What stands in place of the words of a message that is gone."""
_FORMER: View = {"body": "", "mentions": []}
"""The same for what a message said before it was edited; the edit follows."""

Lost = Literal["deleted", "edited"]
"""Why a text is not shown any more."""

Ref = str | int | None
"""The client's own mark on a frame, given back with the answer."""


class Post(msgspec.Struct, frozen=True, tag="post", tag_field="type"):
    """Post a message; answered by an ack with the same `ref`."""

    room_id: str
    body: str = ""
    uploads: list[str] = []
    client_message_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    ref: Ref = None
    overflow: Literal["refuse", "truncate"] = "refuse"
    reply_to: str | None = None


class Typing(msgspec.Struct, frozen=True, tag="typing", tag_field="type"):
    room_id: str
    typing: bool = True
    ref: Ref = None


class Enter(msgspec.Struct, frozen=True, tag="enter", tag_field="type"):
    room_id: str
    ref: Ref = None


class Leave(msgspec.Struct, frozen=True, tag="leave", tag_field="type"):
    room_id: str
    ref: Ref = None


class Read(msgspec.Struct, frozen=True, tag="read", tag_field="type"):
    """Everything up to `position` has been read."""

    room_id: str
    position: Annotated[int, Meta(ge=0)]
    ref: Ref = None


class _OnlyRef(msgspec.Struct, frozen=True):
    ref: Ref = None


ClientFrame = Post | Typing | Enter | Leave | Read
decode_client_frame = msgspec.json.Decoder(ClientFrame).decode
decode_only_ref = msgspec.json.Decoder(_OnlyRef).decode


class EncodedEvent:
    """One event for everybody who may see it; made into JSON and into a frame when first asked for."""

    def __init__(self, recorded: RecordedEvent, *, lost: Lost | None = None) -> None:
        self.position = recorded.position
        self._recorded = recorded
        self._lost = lost

    @cached_property
    def shown(self) -> View:
        event = self._recorded.event
        view = public_view(event)
        if self._lost is not None and view is not None:
            placeholders = _GONE if self._lost == "deleted" else _FORMER
            view = {name: placeholders.get(name, value) for name, value in view.items()} | {self._lost: True}
            if self._lost == "deleted":
                view.pop("attachments", None)
        return {
            "type": "event",
            "position": self.position,
            "event": event.topic,
            "at": iso_from_ms(event.at),
            "data": view,
        }

    @cached_property
    def json(self) -> bytes:
        return encode(self.shown)

    @cached_property
    def websocket(self) -> bytes:
        return text_frame(self.json)


class Run:
    """Events in order, joined for one write to each connection that gets exactly these."""

    def __init__(self, events: Sequence[EncodedEvent]) -> None:
        self.events = events
        self._server_sent: bytes | None = None

    @cached_property
    def websocket(self) -> bytes:
        return b"".join([event.websocket for event in self.events])

    def server_sent(self, epoch: str) -> bytes:
        """For an EventSource. The epoch is the log's, so the first caller's is everybody's."""
        if self._server_sent is None:
            self._server_sent = b"".join([server_sent_event(event, epoch) for event in self.events])
        return self._server_sent


class Signal:
    """A frame without a position: `status`, `typing`, `presence` or `connected`."""

    def __init__(self, kind: str, members: dict[str, Any]) -> None:
        self.kind = kind
        self.json = encode({"type": kind, **members})

    @cached_property
    def websocket(self) -> bytes:
        return text_frame(self.json)

    @cached_property
    def server_sent(self) -> bytes:
        return b"event: %s\ndata: %s\n\n" % (self.kind.encode(), self.json)


class Heartbeat(Signal):
    """The status, and for a WebSocket a ping (RFC 6455 section 5.5.2), which every client answers by itself."""

    @cached_property
    def websocket(self) -> bytes:
        return text_frame(self.json) + b"\x89\x00"


def runs_of(events: Iterable[EncodedEvent], most_bytes: int) -> Iterator[Run]:
    """Cut a long stretch of events into runs of at most about `most_bytes` bytes each."""
    some: list[EncodedEvent] = []
    size = 0
    for event in events:
        some.append(event)
        size += len(event.json)
        if size >= most_bytes:
            yield Run(some)
            some, size = [], 0
    if some:
        yield Run(some)


def holds_text(recorded: RecordedEvent) -> bool:
    """Whether the event carries words that a later deletion takes back."""
    return isinstance(recorded.event, (MessagePosted, MessageEdited, MessagePreviewed))


def text_frame(payload: bytes) -> bytes:
    """A whole, unmasked text frame (RFC 6455 section 5.2)."""
    length = len(payload)
    if length < 126:
        return b"\x81" + bytes((length,)) + payload
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big") + payload
    return b"\x81\x7f" + length.to_bytes(8, "big") + payload


def pong_frame(payload: bytes) -> bytes:
    """The answer to a client's ping, which has at most 125 bytes (RFC 6455 section 5.5.3)."""
    return b"\x8a" + bytes((len(payload),)) + payload


def server_sent_event(event: EncodedEvent, epoch: str) -> bytes:
    """The event for an EventSource (WHATWG HTML section 9.2); its id is what Last-Event-ID will say."""
    return b"id: %s:%d\ndata: %s\n\n" % (epoch.encode(), event.position, event.json)


def hello(position: int, epoch: str, user: dict[str, Any]) -> bytes:
    return encode({"type": "hello", "position": position, "epoch": epoch, "user": user})


def resync(position: int, epoch: str) -> bytes:
    return encode({"type": "resync", "position": position, "epoch": epoch})


def ack(ref: Ref, position: int, data: Any) -> bytes:
    return encode({"type": "ack", "ref": ref, "position": position, "data": data})


def error(ref: Ref, problem: Problem) -> bytes:
    return encode({"type": "error", "ref": ref, "error": problem})


def status(position: int, facts: dict[str, Any]) -> Signal:
    return Signal("status", {"position": position, **facts})


def heartbeat(position: int) -> Heartbeat:
    return Heartbeat("status", {"position": position})


def typing(room_id: str, user_id: str, name: str, *, is_typing: bool) -> Signal:
    return Signal("typing", {"room_id": room_id, "user": {"id": user_id, "name": name}, "typing": is_typing})


def presence(room_id: str, user_id: str, *, present: bool) -> Signal:
    return Signal("presence", {"room_id": room_id, "user_id": user_id, "present": present})


def connected(came: list[str], gone: list[str]) -> Signal:
    """Who has a live feed now, and who has none any more: ids of people."""
    return Signal("connected", {"came": came, "gone": gone})
