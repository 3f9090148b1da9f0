"""Folders of a service and of the libraries it stands on, for the image: `members.py SERVICE`."""

import sys
import tomllib
from pathlib import Path

FOLDERS = {
    tomllib.loads(path.read_text())["project"]["name"]: path.parent
    for path in [*Path().glob("libs/*/pyproject.toml"), *Path().glob("services/*/pyproject.toml")]
}


def members(name: str, found: list[str]) -> list[str]:
    """This one and, before it, what it needs."""
    if name not in found:
        declared = tomllib.loads((FOLDERS[name] / "pyproject.toml").read_text())["project"]["dependencies"]
        for dependency in declared:
            if dependency in FOLDERS:
                members(dependency, found)
        found.append(name)
    return found


for name in members(f"loopline-{sys.argv[1]}", []):
    sys.stdout.write(f"./{FOLDERS[name]}\n")
