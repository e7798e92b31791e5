"""`scripts/bench` measures against a server of its own and says so in a fixed form."""

import asyncio
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "scripts" / "bench"
MEMBERS = {"name", "figure", "unit", "ceiling", "ratio", "floor", "aim"}


async def run_bench(*arguments: str) -> tuple[int, bytes, bytes]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(BENCH), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output, errors


async def quick_figures(*names: str) -> list[dict[str, Any]]:
    code, output, errors = await run_bench("--quick", "--json", *names)
    assert code == 0, errors.decode()
    figures: list[dict[str, Any]] = json.loads(output)
    return figures


async def test_the_chosen_rows_are_printed_in_the_fixed_form() -> None:
    """Programs may rely on the members of each row, and on getting the rows they asked for, in that order."""
    figures = await quick_figures("verify", "durable_messages")
    assert [figure["name"] for figure in figures] == ["verify", "durable_messages"]
    for figure in figures:
        assert figure.keys() >= MEMBERS
        assert figure["figure"] > 0
        assert figure["ceiling"] > 0
        assert figure["ratio"] > 0


async def test_the_fan_out_reaches_every_member() -> None:
    """A delivery that went missing would end the run with an error instead of a figure."""
    [figure] = await quick_figures("fanout_deliveries")
    assert figure["unit"] == "deliveries/s"
    assert figure["figure"] > 0


async def test_the_outbox_is_asked_for_by_one_name() -> None:
    """Every webhook and push must have come once, each attempt on record, or there is an error and no figure."""
    figures = {figure["name"]: figure for figure in await quick_figures("outbox")}
    assert list(figures) == ["outbox_deliveries", "outbox_latency", "outbox_isolation", "outbox_push"]
    assert all(figure["figure"] > 0 and figure["ceiling"] > 0 for figure in figures.values())
    deliveries, latency, isolation, push = (figures[name]["details"] for name in figures)
    assert deliveries["per_second_to_1"] > 0 and deliveries["bare_to_16"] > 0
    assert 0 < latency["p50_ms"] <= figures["outbox_latency"]["figure"] <= latency["max_ms"]
    assert isolation["p99_ms_without"] > 0 and isolation["p99_ms_beside"] > 0
    assert push["bare_encryptions_per_second"] > 0


async def test_an_unknown_row_is_refused_with_the_known_names() -> None:
    """A mistyped name measures nothing; the answer says what there is."""
    code, _, errors = await run_bench("speed")
    assert code != 0
    assert b"durable_messages" in errors


async def test_reading_meets_every_message_and_asks_every_kind_of_question() -> None:
    """Paging back that missed a message would be an error; the store that was kept serves the next run."""
    with TemporaryDirectory() as kept:  # pytest's own is too long a name for the server's socket
        for _ in range(2):
            code, output, errors = await run_bench("--quick", "--json", "read", "--keep", kept)
            assert code == 0, errors.decode()
    [figure] = json.loads(output)
    details = figure["details"]
    assert b"taking the store kept" in errors
    assert details["paged_back"] > 500
    kinds = {reading["name"] for reading in details["readings"]}
    assert kinds > {"room list", "newest page", "page back", "around a message", "from a date", "pins", "saved"}
    assert {"search phrase, newest", "search from:, relevance", "search deep pages, newest"} < kinds
    assert all(reading["p50_ms"] <= reading["p95_ms"] <= reading["max_ms"] for reading in details["readings"])


async def test_a_large_file_does_not_go_through_memory() -> None:
    """The server stays as small as it was while it takes 96 MB and gives them back, unchanged, in ranges."""
    code, output, errors = await run_bench(
        "--quick", "--json", "--upload-mb", "96", "upload_memory", "upload", "download"
    )
    assert code == 0, errors.decode()
    memory, there, back = json.loads(output)
    assert memory["figure"] < 48, "MiB; holding the file once would take 92 of them"
    assert there["details"]["megabytes"] == back["details"]["megabytes"] == 96
