"""The delivery rows of the fault table (28 to 47 of the outbox's reference) are each shown by a test of its number."""

import re
from pathlib import Path

import pytest

TEST = re.compile(r"^(?:async )?def test_row_(\d+)_\w+\(", re.MULTILINE)


@pytest.mark.parametrize("row", range(28, 48))
def test_every_delivery_row_of_the_fault_table_has_a_test_named_for_it(root: Path, row: int) -> None:
    """Whoever asks what becomes of deliveries when something fails finds it by the row's number."""
    sources = [path.read_text(encoding="utf-8") for path in (root / "tests" / "faults").glob("test_*.py")]
    assert row in {int(number) for source in sources for number in TEST.findall(source)}
