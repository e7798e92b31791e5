"""How many devices a second are told of a message."""

from base64 import urlsafe_b64encode
from os import urandom
from time import monotonic_ns, perf_counter

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks.bare_poster import PostLoad
from benchmarks.chat_data import Chat, make_chat
from benchmarks.figures import Figure, Row
from benchmarks.outbox_scene import bare_posts, call, until_durable, until_received, url_of
from benchmarks.process_usage import CoreMeter
from benchmarks.runs import Runs
from benchmarks.server_process import BenchmarkFailed, Running, bare_server, campfire_server, outbox_worker
from outbox.push.encryption import encrypt

ROW = Row(
    name="outbox_push",
    title="pushes encrypted and sent to one push service",
    unit="pushes/s",
    floor=200,
    aim=1_000,
    more_is_better=True,
)

_ROUNDS = 4
_IN_FLIGHT = 8
"""What the worker sends to one push service at a time."""
_SIZES = frozenset((615, 1_127, 2_151))
"""Bytes of a push, of whatever text: padded to one of three lengths, and 103 of encryption."""
_DONE = "SELECT COUNT(*) FROM push_deliveries WHERE state = 'delivered'"


def measure(runs: Runs) -> Figure:
    """The ceiling is a bare aiohttp client that posts the same bytes, encrypted already, as many at a time."""
    devices = runs.effort.devices
    chat = make_chat(runs.new_data(), devices + 1)
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    key, secret = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint), urandom(16)
    with bare_server("outbox_sink") as sink:
        with campfire_server(chat.data) as server, outbox_worker(chat.data) as worker:
            _subscribe(server, chat, sink, key, secret)
            runs.say(f"campfire and its worker, {_ROUNDS} messages to {devices} devices")
            meter = CoreMeter(worker)
            seconds = [
                _round(server, chat, sink, (number + 1) * devices, runs.texts[number]) for number in range(_ROUNDS)
            ]
            cores = meter.cores()
            until_durable(chat.data, _DONE, _ROUNDS * devices)
        found = until_received(sink, _ROUNDS * devices)
        if found.sample is None or len(found.sample.body) not in _SIZES:
            raise BenchmarkFailed("what came to the push service is no push")
        paths = {receipt.path for receipt in found.receipts}
        if (len(paths), len(found.receipts)) != (devices, _ROUNDS * devices):
            raise BenchmarkFailed(f"{len(found.receipts)} pushes came to {len(paths)} devices")
        urls = [url_of(sink, f"/push/{number}") for number in range(1, _IN_FLIGHT + 1)]
        bare = bare_posts(runs, PostLoad(urls, found.sample, _ROUNDS * devices))
    return ROW.figure(
        _ROUNDS * devices / sum(seconds),
        bare.per_second,
        devices=devices,
        worker_cores=cores,
        bare_encryptions_per_second=_encryptions(key, secret, len(found.receipts)),
    )


def _subscribe(server: Running, chat: Chat, sink: Running, key: bytes, secret: bytes) -> None:
    keys = {"p256dh": _text(key), "auth": _text(secret)}
    for number, token in enumerate(chat.tokens[1:], 1):
        device = {"endpoint": url_of(sink, f"/push/{number}"), "expirationTime": None, "keys": keys}
        call(server, token, "PUT", "/api/v1/me/push-subscriptions", device)
        wanted = {"involvement": "everything"}
        call(server, token, "PUT", f"/api/v1/rooms/{chat.room_id}/involvement", wanted)


def _round(server: Running, chat: Chat, sink: Running, received: int, text: str) -> float:
    """Seconds from sending a message until all devices were told of it."""
    sent_at = monotonic_ns()
    body = {"body": text, "client_message_id": f"push-{received}"}
    call(server, chat.tokens[0], "POST", f"/api/v1/rooms/{chat.room_id}/messages", body)
    return (until_received(sink, received).receipts[-1].at - sent_at) / 1e9


def _encryptions(key: bytes, secret: bytes, count: int) -> float:
    began = perf_counter()
    for _ in range(count):
        encrypt(b"Hello", key, secret, padded_to=512)
    return count / (perf_counter() - began)


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
