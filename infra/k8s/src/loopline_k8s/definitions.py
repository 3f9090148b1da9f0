"""Custom resources that the manifests use, as their Go modules define them."""

import json
import shutil
import subprocess
from pathlib import Path

from loopline_local.building import toolchain
from loopline_runtime.errors import Unavailable

KEDA = ("github.com/kedacore/keda/v2@v2.20.2", "config/crd/bases")
GATEWAY = ("sigs.k8s.io/gateway-api@v1.4.1", "config/crd/standard")
PROMETHEUS = ("github.com/prometheus-operator/prometheus-operator@v0.85.0", "example/prometheus-operator-crd")


def definitions() -> list[Path]:
    """The files, downloaded once into Go's cache. Unavailable when the module proxy cannot be reached."""
    go = toolchain(shutil.which("uv") or "uv")
    found: list[Path] = []
    for module, inside in (KEDA, GATEWAY, PROMETHEUS):
        done = subprocess.run([go, "mod", "download", "-json", module], capture_output=True, text=True, check=False)
        told = json.loads(done.stdout or "{}")
        if done.returncode or "Dir" not in told:
            raise Unavailable(f"{module} cannot be had: {told.get('Error') or done.stderr.strip()}")
        found += sorted((Path(told["Dir"]) / inside).glob("*_*.yaml"))
    return found
