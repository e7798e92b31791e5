"""Rows 31 and 32 of the fault table: receivers that would have us go where we should not."""

import socket
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from faults_support.attempts import Attempts
from faults_support.hostile_sink import HostileSink, says
from outbox_support.chat import Chat
from outbox_support.push import Working
from outbox_support.worker_process import WorkerProcess
from yarl import URL

from campfire.config import Settings

METADATA = "http://169.254.169.254/latest/meta-data"
LOOPBACK_IN_DISGUISE = [
    "127.0.0.1",
    "localhost",
    "2130706433",
    "0x7f000001",
    "017700000001",
    "127.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_row_31_a_redirect_is_not_followed(chat: Chat, attempts: Attempts, tmp_path: Path, status: int) -> None:
    """Not even to where we may go: the 200 of another page would be no delivery."""
    elsewhere = HostileSink(says(200))
    await elsewhere.start()
    sink = HostileSink(says(status, f"Location: {elsewhere.url}"))
    await sink.start()
    worker = WorkerProcess(tmp_path / "data", CAMPFIRE_WEBHOOK_RETRY_SCHEDULE="600")
    webhook_id = await chat.add_webhook(sink.url)
    worker.start()
    try:
        await chat.post("Hello")
        [attempt] = await attempts.until(webhook_id)
    finally:
        worker.end()
        await sink.stop()
        await elsewhere.stop()
    assert (attempt.failure_class, attempt.status, attempt.state) == ("redirect", status, "pending")
    assert str(URL(elsewhere.url).origin()) in attempt.detail
    assert (attempt.excerpt or b"").startswith(f"Location: {elsewhere.url}\n".encode())
    assert (sink.connections, elsewhere.connections) == (1, 0)


async def test_row_31_a_redirect_to_the_metadata_service_is_told_with_its_target(
    chat: Chat, attempts: Attempts, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In the log and in the attempt: whoever runs the server should know that somebody tries this."""
    sink = HostileSink(says(302, f"Location: {METADATA}"))
    await sink.start()
    worker = WorkerProcess(tmp_path / "data", CAMPFIRE_WEBHOOK_RETRY_SCHEDULE="600")
    webhook_id = await chat.add_webhook(sink.url)
    worker.start()
    said = ""
    try:
        await chat.post("Hello")
        [attempt] = await attempts.until(webhook_id)
        while "redirects to http://169.254.169.254" not in said:  # written a moment after it is on record
            captured = capfd.readouterr()
            said += captured.out + captured.err
    finally:
        worker.end()
        await sink.stop()
    assert attempt.failure_class == "redirect" and "169.254.169.254" in attempt.detail
    assert METADATA.encode() in (attempt.excerpt or b"")
    assert "delivery_failed" in said


async def test_row_32_loopback_in_any_form_is_blocked_and_not_tried_again(
    chat: Chat, attempts: Attempts, tmp_path: Path
) -> None:
    """Before anything connects; the delivery ends there, since another attempt could not end otherwise."""
    sink, listening = HostileSink(says(200)), HostileSink(says(200), host="::1")
    await sink.start()
    await listening.start(sink.port)
    worker = WorkerProcess(tmp_path / "data", CAMPFIRE_WEBHOOK_ALLOW="", CAMPFIRE_WEBHOOK_RETRY_SCHEDULE="0.01,0.01")
    webhooks = {host: await chat.add_webhook(f"http://{host}:{sink.port}/") for host in LOOPBACK_IN_DISGUISE}
    worker.start()
    try:
        await chat.post("Hello")
        found = {host: (await attempts.until(webhook_id))[-1] for host, webhook_id in webhooks.items()}
    finally:
        worker.end()
        await sink.stop()
        await listening.stop()
    came_to = {host: (each.failure_class, each.number, each.tries, each.state) for host, each in found.items()}
    assert came_to == dict.fromkeys(LOOPBACK_IN_DISGUISE, ("blocked", 1, 1, "dead"))
    assert (sink.connections, listening.connections) == (0, 0)


async def test_row_32_names_that_lead_inside_are_blocked(
    chat: Chat, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alias of localhost, a mixed answer, and a name that changes its mind after its first delivery (rebinding)."""
    outside, inside = HostileSink(says(200), host="127.0.0.2"), HostileSink(says(200))
    await outside.start()
    await inside.start(outside.port)
    # 127.0.0.2 stands for a public address: it is all that is open.
    leads_to = {
        "alias.example.com": [["127.0.0.1"]],
        "mixed.example.com": [["127.0.0.2", "127.0.0.1"]],
        "rebinding.example.com": [["127.0.0.2"], ["127.0.0.1"]],
    }
    _resolve(monkeypatch, leads_to)
    working = Working(
        Settings(
            data=chat.engine.settings.data,
            webhook_allow=(ip_network("127.0.0.2/32"),),
            webhook_retry_schedule=(0.01, 0.01),
        )
    )
    webhooks = {name: await chat.add_webhook(f"http://{name}:{outside.port}/") for name in leads_to}
    working.start()
    try:
        await chat.post("Hello")
        [first] = await attempts.until(webhooks["rebinding.example.com"])
        await chat.post("and again")
        found = {name: await attempts.until(webhook_id, 2) for name, webhook_id in webhooks.items()}
    finally:
        await working.stop()
        await outside.stop()
        await inside.stop()
    assert (first.failure_class, first.peer) == (None, "127.0.0.2")
    rebinding = found.pop("rebinding.example.com")[1]
    for each in [rebinding, *(attempt for several in found.values() for attempt in several)]:
        assert (each.failure_class, each.number, each.state, each.peer) == ("blocked", 1, "dead", None)
    assert (outside.connections, inside.connections) == (1, 0)


def _resolve(monkeypatch: pytest.MonkeyPatch, leads_to: dict[str, list[list[str]]]) -> None:
    """Answer for these names, each time with the next of their answers, and with the last one for ever."""
    really = socket.getaddrinfo
    left = {name: list(several) for name, several in leads_to.items()}

    def look_up(host: Any, port: Any, *arguments: Any, **options: Any) -> Sequence[tuple[Any, ...]]:
        if host not in left:
            return really(host, port, *arguments, **options)
        addresses = left[host].pop(0) if len(left[host]) > 1 else left[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "localhost", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
