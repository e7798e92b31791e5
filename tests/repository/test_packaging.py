"""What is installed, and what a file of the repository may not hold."""

import configparser
import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKED = re.compile(r"^([\w.-]+)==(\S+) \\$", re.MULTILINE)
REGISTRIES = [
    name + "." + end
    for name, end in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("yarnpkg", "com"),
        ("anaconda", "org"),
        ("crates", "io"),
        ("rubygems", "org"),
    )
]
FOREIGN_PATH = re.compile(rb"(?<![\w.~:/$}-])/(?:work|root|opt)(?![\w-])")


def locked(root: Path, name: str) -> dict[str, str]:
    """The exact version of each package in a lock file."""
    found = LOCKED.findall((root / name).read_text(encoding="utf-8"))
    return {canonicalize_name(package): version for package, version in found}


def wanted(root: Path, section: str, option: str) -> list[Requirement]:
    setup = configparser.ConfigParser()
    setup.read(root / "setup.cfg")
    return [Requirement(line) for line in setup[section][option].split("\n") if line]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock"])
def test_the_lock_files_hold_everything_that_the_server_needs(root: Path, lock: str) -> None:
    """In a version that setup.cfg allows. If this fails: scripts/lock."""
    versions = locked(root, lock)
    for requirement in wanted(root, "options", "install_requires"):
        name = canonicalize_name(requirement.name)
        assert name in versions and versions[name] in requirement.specifier, requirement


def test_the_lock_file_of_the_tests_holds_everything_that_they_need(root: Path) -> None:
    """And, where both name a package, the same version as the server's."""
    versions = locked(root, "requirements-test.lock")
    needed = {canonicalize_name(each.name) for each in wanted(root, "options.extras_require", "test")}
    assert needed <= set(versions)
    assert locked(root, "requirements.lock").items() <= versions.items()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock"])
def test_every_locked_package_has_hashes_and_no_place(root: Path, lock: str) -> None:
    """What is installed is what was tested, from wherever the machine installs."""
    text = (root / lock).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(locked(root, lock)) > 0
    assert [entry.partition(" ")[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert not re.search(r"^--|@ (https?|file)", text, re.MULTILINE)


def test_no_file_names_a_package_registry_or_a_path_of_one_machine(root: Path) -> None:
    """The repository works anywhere; where packages come from is the machine's business."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root, capture_output=True
    )
    if listed.returncode != 0:
        pytest.skip("this is not a git repository")
    files = [root / name for name in listed.stdout.decode().split("\0") if name]
    found = []
    for path in files:
        if not path.is_file():
            continue  # deleted, but not yet committed
        content = path.read_bytes()
        found += [f"{path.relative_to(root)}: {name}" for name in REGISTRIES if name.encode() in content]
        found += [f"{path.relative_to(root)}: {match[0]!r}" for match in FOREIGN_PATH.finditer(content)]
    assert files and found == []
