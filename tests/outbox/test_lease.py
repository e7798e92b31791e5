"""One worker at a time: who may take the outbox, and what becomes of one that does not know that it is over."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from outbox_support.half_made import leave_half_made

from campfire.clock import ManualClock
from campfire.config import Settings
from campfire.eventlog.data_lock import DataLock
from outbox.lease import Lease, LeaseLost
from outbox.ledger import Ledger
from outbox.queries import rows_of
from outbox.tenure import TENURE, Tenure, boot_id, namespace, start_of

OURS = Tenure(
    epoch=3,
    holder="somebody",
    pid=os.getpid(),
    namespace=namespace(),
    boot_id=boot_id(),
    started=start_of(os.getpid()),
    expires=100.0,
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


def ignore(_obstacle: str) -> None:
    pass


async def taken(settings: Settings, clock: ManualClock) -> tuple[Lease, Ledger]:
    """A lease with its ledger."""
    lease = Lease(settings, clock)
    assert await lease.acquire(asyncio.Event(), ignore)
    ledger = Ledger(settings.outbox_path, lease)
    await ledger.open()
    return lease, ledger


def endpoints(settings: Settings) -> int:
    with sqlite3.connect(settings.outbox_path) as connection:
        [(count,)] = connection.execute("SELECT COUNT(*) FROM breakers").fetchall()
    connection.close()
    return int(count)


def write_something(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO breakers (endpoint_id, failures) VALUES ('e', 1)")


@pytest.mark.parametrize(
    ("changes", "is_over"),
    [
        ({}, False),
        ({"expires": 50.0}, True),
        ({"holder": None}, True),
        ({"boot_id": "another run of the machine"}, True),
        ({"started": 1.0}, True),
        ({"pid": 4_000_000}, True),
        ({"pid": 4_000_000, "namespace": "pid:[1]"}, False),
        ({"namespace": "pid:[1]", "expires": 50.0}, True),
    ],
)
def test_a_lease_ends_with_its_time_its_process_or_its_machines_run(changes: dict[str, object], is_over: bool) -> None:
    """A pid that is used again is another process; one in another container is not seen, and only its time counts."""
    assert msgspec.structs.replace(OURS, **changes).is_over(50.0) is is_over


def test_a_process_that_is_dead_and_not_yet_buried_is_gone() -> None:
    """Its parent may take long to ask how it ended."""
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()
    while start_of(process.pid) is not None:
        pass
    assert Path(f"/proc/{process.pid}").exists()
    process.wait()
    process.stdout.close()


async def test_each_holder_counts_the_epoch_up(settings: Settings) -> None:
    """Also after a clean release; that is the fence."""
    clock = ManualClock()
    for epoch in (1, 2, 3):
        lease, ledger = await taken(settings, clock)
        assert lease.epoch == epoch
        await ledger.write(lease.release)
        await ledger.close()


async def is_refused(settings: Settings, clock: ManualClock) -> bool:
    """Whether somebody is in the way of another worker."""
    stopping = asyncio.Event()
    return not await Lease(settings, clock).acquire(stopping, lambda _obstacle: stopping.set())


async def test_who_stands_by_takes_over_once_the_time_is_up(settings: Settings) -> None:
    """On the monotonic clock: the wall clock may be set to whatever it likes."""
    clock, obstacles = ManualClock(), []
    first, ledger = await taken(settings, clock)
    for jump in (3 * 86_400_000, -6 * 86_400_000):
        clock._now_ms += jump
        assert await is_refused(settings, clock) and first.is_valid()
    second = Lease(settings, clock)
    standing_by = asyncio.create_task(second.acquire(asyncio.Event(), obstacles.append))
    async with asyncio.timeout(60):
        while not obstacles:
            await asyncio.sleep(0.01)
    assert obstacles == [f"the outbox worker with pid {os.getpid()} (epoch 1)"]
    clock.advance(30)
    async with asyncio.timeout(60):
        assert await standing_by
    assert second.epoch == 2 and not first.is_valid()
    await ledger.close()


async def test_a_renewed_lease_lasts(settings: Settings) -> None:
    """Its full time from the renewal on."""
    clock = ManualClock()
    lease, ledger = await taken(settings, clock)
    clock.advance(29)
    await ledger.renew()
    clock.advance(29)
    assert lease.is_valid()
    assert await is_refused(settings, clock)
    await ledger.close()


async def test_a_holder_that_slept_past_its_time_writes_and_sends_nothing_more(settings: Settings) -> None:
    """Its successor's work is not touched: the fence is in each transaction, and before each sending."""
    clock = ManualClock()
    _, sleeper = await taken(settings, clock)
    clock.advance(31)
    _, successor = await taken(settings, clock)
    for attempt in (sleeper.write(write_something), sleeper.assure(), sleeper.renew()):
        with pytest.raises(LeaseLost):
            await attempt
    assert endpoints(settings) == 0
    await successor.write(write_something)
    assert endpoints(settings) == 1
    await sleeper.close()
    await successor.close()


async def test_a_holder_that_slept_and_has_no_successor_goes_on(settings: Settings) -> None:
    """Asking the file renews the lease."""
    clock = ManualClock()
    lease, ledger = await taken(settings, clock)
    clock.advance(31)
    assert not lease.is_valid()
    await ledger.assure()
    assert lease.is_valid()
    await ledger.write(write_something)
    assert endpoints(settings) == 1
    await ledger.close()


async def test_a_worker_of_a_version_without_a_lease_is_waited_for(settings: Settings) -> None:
    """It holds the lock for as long as it lives."""
    stopping, obstacles = asyncio.Event(), []
    with DataLock(settings.outbox_lock_path, purpose="outbox worker"):
        taking = asyncio.create_task(Lease(settings, ManualClock()).acquire(stopping, obstacles.append))
        async with asyncio.timeout(60):
            while not obstacles:
                await asyncio.sleep(0.01)
    assert "outbox worker with pid" in obstacles[0]
    assert await taking


async def test_what_a_kill_left_half_made_is_recovered(settings: Settings) -> None:
    """Whoever only reads cannot do that, and sees nothing; the next worker can."""
    await asyncio.to_thread(leave_half_made, settings.outbox_path)
    assert rows_of(settings.outbox_path, TENURE) == []
    _, ledger = await taken(settings, ManualClock())
    await ledger.write(write_something)
    assert endpoints(settings) == 1
    await ledger.close()
