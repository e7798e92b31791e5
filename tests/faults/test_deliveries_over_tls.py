"""Row 40 of the fault table: receivers whose TLS is not what it should be."""

import asyncio
from pathlib import Path

import pytest
from faults_support.attempts import Attempt, Attempts
from faults_support.certificates import Authority
from faults_support.hostile_sink import HostileSink, alerts, says
from outbox_support.chat import Chat
from outbox_support.worker_process import WorkerProcess


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Whom the worker trusts."""
    return Authority(tmp_path)


async def attempt_at(chat: Chat, attempts: Attempts, authority: Authority, sink: HostileSink, scheme: str) -> Attempt:
    """What comes of a delivery to `localhost`, where the sink listens."""
    await sink.start()
    worker = WorkerProcess(
        chat.engine.settings.data,
        CAMPFIRE_WEBHOOK_ALLOW="127.0.0.0/8,::1/128",
        CAMPFIRE_WEBHOOK_RETRY_SCHEDULE="600",
        SSL_CERT_FILE=str(authority.path),
    )
    webhook_id = await chat.add_webhook(f"{scheme}://localhost:{sink.port}/hook")
    worker.start()
    try:
        await chat.post("Hello")
        [attempt] = await attempts.until(webhook_id)
    finally:
        await asyncio.to_thread(worker.end)
        await sink.stop()
    return attempt


async def test_row_40_good_tls_is_delivered_over(chat: Chat, attempts: Attempts, authority: Authority) -> None:
    """The other tests fail for no other reason than theirs."""
    sink = HostileSink(says(200), tls=authority.server_context("localhost"))
    attempt = await attempt_at(chat, attempts, authority, sink, "https")
    assert (attempt.failure_class, attempt.state, len(sink.received)) == (None, "delivered", 1)


@pytest.mark.parametrize(
    ("name", "days", "said"),
    [("localhost", -1, "certificate has expired"), ("other.example.com", 10, "Hostname mismatch")],
)
async def test_row_40_tls_certificate_is_not_good(
    chat: Chat, attempts: Attempts, authority: Authority, name: str, days: int, said: str
) -> None:
    """Expired, or somebody else's: nothing is sent, and the reason is said. It may be mended, so it is tried later."""
    sink = HostileSink(says(200), tls=authority.server_context(name, days=days))
    attempt = await attempt_at(chat, attempts, authority, sink, "https")
    assert (attempt.failure_class, attempt.tries, attempt.state) == ("tls", 1, "pending")
    assert said in attempt.detail and sink.received == []


async def test_row_40_tls_certificate_is_nobodys(
    chat: Chat, attempts: Attempts, authority: Authority, tmp_path: Path
) -> None:
    """Of an authority that nobody here trusts."""
    (tmp_path / "other").mkdir()
    sink = HostileSink(says(200), tls=Authority(tmp_path / "other").server_context("localhost"))
    attempt = await attempt_at(chat, attempts, authority, sink, "https")
    assert (attempt.failure_class, attempt.tries, attempt.state) == ("tls", 1, "pending")
    assert "CERTIFICATE_VERIFY_FAILED" in attempt.detail and sink.received == []


async def test_row_40_plain_http_where_tls_should_be(chat: Chat, attempts: Attempts, authority: Authority) -> None:
    """What was to be sent under TLS is never sent without."""
    sink = HostileSink(says(200))
    attempt = await attempt_at(chat, attempts, authority, sink, "https")
    assert (attempt.failure_class, attempt.tries, attempt.state) == ("tls", 1, "pending")
    assert sink.received == []


async def test_row_40_tls_where_plain_http_should_be(chat: Chat, attempts: Attempts, authority: Authority) -> None:
    """The receiver's alert is understood, and the reason said."""
    sink = HostileSink(alerts)
    attempt = await attempt_at(chat, attempts, authority, sink, "http")
    assert (attempt.failure_class, attempt.tries, attempt.state) == ("tls", 1, "pending")
    assert "speaks TLS" in attempt.detail


async def test_row_40_a_tls_server_that_hangs_up_on_plain_http(
    chat: Chat, attempts: Attempts, authority: Authority
) -> None:
    """One that says nothing looks like any that hangs up; nothing of the request has come to anybody."""
    sink = HostileSink(says(200), tls=authority.server_context("localhost"))
    attempt = await attempt_at(chat, attempts, authority, sink, "http")
    assert (attempt.failure_class, attempt.state) == ("network", "pending") and sink.received == []
