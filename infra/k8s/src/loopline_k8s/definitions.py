"""Custom resources that the manifests use, as their Go modules define them."""

import json
import shutil
import subprocess
from pathlib import Path

from loopline_local.building import toolchain
from loopline_runtime.errors import Unavailable

# Of KEDA all, for its operator watches them; of the others those in use.
SOURCES = {
    "github.com/kedacore/keda/v2@v2.20.2": ("config/crd/bases/*.yaml",),
    "sigs.k8s.io/gateway-api@v1.4.1": tuple(
        f"config/crd/standard/*_{plural}.yaml" for plural in ("gateways", "grpcroutes", "backendtlspolicies")
    ),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/*_servicemonitors.yaml",
        "example/prometheus-operator-crd/*_prometheusrules.yaml",
    ),
}


def definitions() -> list[Path]:
    """The files, downloaded once into Go's cache. Unavailable when the module proxy cannot be reached."""
    go = toolchain(shutil.which("uv") or "uv")
    found: list[Path] = []
    for module, patterns in SOURCES.items():
        done = subprocess.run([go, "mod", "download", "-json", module], capture_output=True, text=True, check=False)
        told = json.loads(done.stdout or "{}")
        if done.returncode or "Dir" not in told:
            raise Unavailable(f"{module} cannot be had: {told.get('Error') or done.stderr.strip()}")
        for pattern in patterns:
            found += sorted(Path(told["Dir"]).glob(pattern))
    return found
