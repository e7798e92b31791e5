"""The drill's judgement: what it would have noticed, had it happened."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))

from drills.evidence import Planned, Receipt, violations  # noqa: E402

PLANNED = [Planned("w", f"msg_{number}", number, "delivered") for number in (1, 2, 3)]
RECEIPTS = [Receipt("w", f"msg_{number}", b"text", 1, number) for number in (1, 2, 3)]


def wrong(receipts: list[Receipt], planned: list[Planned] = PLANNED, *, kills: int = 1, messages: int = 3) -> str:
    return "; ".join(violations(receipts, planned, kills=kills, messages=messages))


def again(number: int, **changes: object) -> Receipt:
    """A repeat by the next worker."""
    return msgspec.structs.replace(RECEIPTS[number - 1], connection=2, **changes)


def test_what_is_delivered_once_and_in_order_is_right() -> None:
    """And so is one repeat for a kill."""
    assert wrong(RECEIPTS) == ""
    assert wrong([*RECEIPTS[:2], again(2), RECEIPTS[2]]) == ""


@pytest.mark.parametrize(
    ("receipts", "said"),
    [
        ([RECEIPTS[0], RECEIPTS[2]], "msg_2 (number 2) was lost"),
        ([RECEIPTS[1], RECEIPTS[0], RECEIPTS[2]], "number 2 came after number 0"),
        ([*RECEIPTS, again(3), again(3)], "2 repeats for 1 kills"),
        ([*RECEIPTS, again(3, digest=b"other")], "msg_3 was repeated with other bytes"),
        ([*RECEIPTS, RECEIPTS[2]], "msg_3 was repeated without a kill"),
        ([*RECEIPTS, again(3, delivery="msg_4")], "msg_4 was received and planned by nobody"),
        ([*RECEIPTS, again(3, endpoint="x")], "msg_3 was received by x and planned by nobody"),
        ([*RECEIPTS[:2], again(3, sequence=4)], "msg_3 says it is number 4, and is 3"),
    ],
)
def test_what_must_not_be_is_named(receipts: list[Receipt], said: str) -> None:
    """Lost, late, too often, changed, or out of nowhere."""
    assert said in wrong(receipts)


def test_a_stream_with_holes_or_unfinished_deliveries_is_wrong() -> None:
    """Also if every request that came was right."""
    assert "holes or is not 4 long" in wrong(RECEIPTS, messages=4)
    assert "msg_3 is pending in the end" in wrong(RECEIPTS, [*PLANNED[:2], Planned("w", "msg_3", 3, "pending")])
    assert "holes" in wrong(RECEIPTS[:1] + RECEIPTS[2:], [PLANNED[0], PLANNED[2]])


async def test_an_interrupted_drill_judges_what_there_was(tmp_path: Path) -> None:
    """Ctrl-C ends the killing, not the verdict."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "scripts" / "drill"),
        *("outbox", "--kills", "100000", "--seed", "1", "--endpoints", "2", "--json", "--directory", str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        while not list(tmp_path.glob("*/data/outbox.db")):
            await asyncio.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, _ = await process.communicate()
    result = json.loads(output)
    assert process.returncode == 0 and result["violations"] == []
    assert 0 <= result["kills"] < 100_000
