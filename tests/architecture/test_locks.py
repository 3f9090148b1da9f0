"""The locks hold every declared dependency, by hash, and no address."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECTS = {
    path: tomllib.loads(path.read_text())
    for path in [
        ROOT / "pyproject.toml",
        *ROOT.glob("libs/*/pyproject.toml"),
        *ROOT.glob("services/*/pyproject.toml"),
        ROOT / "infra/local/pyproject.toml",
    ]
}
MEMBERS = {canonicalize_name(project["project"]["name"]): project for project in PROJECTS.values()}
LOCKS = [ROOT / "requirements.lock", *sorted(ROOT.glob("services/*/requirements.lock"))]
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)")


def pins(lock: Path) -> dict[str, Version]:
    found = (_PIN.match(line) for line in lock.read_text().splitlines())
    return {canonicalize_name(match[1]): Version(match[2]) for match in found if match}


def declared(name: str) -> list[Requirement]:
    """The requirements of a member and of the members it is made of."""
    found = []
    for text in MEMBERS[canonicalize_name(name)]["project"].get("dependencies", []):
        requirement = Requirement(text)
        if canonicalize_name(requirement.name) in MEMBERS:
            found += declared(requirement.name)
        else:
            found.append(requirement)
    return found


def missing(requirements: list[Requirement], lock: Path) -> list[str]:
    pinned = pins(lock)
    return sorted(
        str(requirement)
        for requirement in requirements
        if not requirement.specifier.contains(
            pinned.get(canonicalize_name(requirement.name), Version("0")), prereleases=True
        )
    )


def test_the_whole_lock_is_fresh():
    groups = [Requirement(text) for text in PROJECTS[ROOT / "pyproject.toml"]["dependency-groups"]["dev"]]
    everything = [requirement for name in MEMBERS for requirement in declared(name)] + groups
    assert missing(everything, LOCKS[0]) == [], "run `make lock`"


@pytest.mark.parametrize("lock", LOCKS[1:], ids=lambda lock: lock.parent.name)
def test_a_services_lock_is_fresh_and_part_of_the_whole(lock: Path):
    assert missing(declared(f"loopline-{lock.parent.name}"), lock) == [], "run `make lock`"
    whole = pins(LOCKS[0])
    assert {name: version for name, version in pins(lock).items() if whole.get(name) != version} == {}
    assert "torch" not in pins(lock)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)
def test_a_lock_has_hashes_and_no_address(lock: Path):
    text = lock.read_text()
    assert "://" not in text
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []
