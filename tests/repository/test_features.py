"""The page of features promises nothing that no test shows."""

import re
from pathlib import Path

import pytest

ROW = re.compile(r"^\| (?!Feature|---)(.+?) \| (.+) \| (.+) \|$", re.MULTILINE)
SHOWN_BY = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
REFERENCE = Path("shared/reference/once-campfire.md")


def sections(root: Path) -> dict[str, str]:
    """The page's parts by their headings."""
    parts = re.split(r"^## (.+)\n", (root / "docs" / "features.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_row_names_tests_that_exist(root: Path) -> None:
    """And at least one."""
    rows = [row for name, part in sections(root).items() if name != "Not here yet" for row in ROW.findall(part)]
    assert len(rows) > 30
    for feature, _, shown_by in rows:
        named = SHOWN_BY.findall(shown_by)
        assert named and SHOWN_BY.sub("", shown_by).strip() == "", f"{feature}: {shown_by}"
        for path, name in named:
            assert re.search(rf"^(async )?def {name}\(", (root / path).read_text(encoding="utf-8"), re.MULTILINE), name


def test_every_feature_of_once_campfire_has_its_row(root: Path) -> None:
    """In the first table, or among what is not here yet."""
    reference = root.parent / REFERENCE
    if not reference.exists():
        pytest.skip("the reference is not beside this checkout")
    inventory = reference.read_text(encoding="utf-8").partition("\n## 1. ")[2].partition("\n## 2. ")[0]
    theirs = re.findall(r"^\| (?!Feature|---)(.+?) \|", inventory, re.MULTILINE)
    page = sections(root)
    ours = [row[0] for row in ROW.findall(page["What ONCE Campfire does"])]
    later = re.findall(r"^\| (?!Feature|---)(.+?) \|", page["Not here yet"], re.MULTILINE)
    assert len(theirs) > 25 and sorted(theirs) == sorted(ours + later)
