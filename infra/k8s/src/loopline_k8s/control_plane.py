"""A real control plane on loopback: etcd, API server, controller manager, scheduler; kwok's pods run without containers.

A kwok pod proves scheduling, scaling, admission and rollout; never that a container starts.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from loopline_k8s.manifests import Object, kubectl
from loopline_local.building import KUBERNETES, built, missing
from loopline_runtime.errors import TimedOut, Unavailable
from loopline_testing.nats import free_port

NAME = "loopline"
STARTS_WITHIN = "90s"
SERVER_PARTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
PARTS = (*SERVER_PARTS, "kwok", "kwokctl")


@dataclass(frozen=True)
class ControlPlane:
    """One that runs. `pki`: its certificate authority."""

    home: Path
    kubeconfig: Path
    port: int

    @property
    def pki(self) -> Path:
        """ca.crt and ca.key."""
        return self.home / "clusters" / NAME / "pki"

    def kubectl(self, *arguments: str, given: str = "") -> str:
        """What it prints; Unavailable with its own words when it fails. Warnings of the API server are failures."""
        done = subprocess.run(
            [kubectl(), f"--kubeconfig={self.kubeconfig}", "--warnings-as-errors", *arguments],
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Unavailable(f"kubectl {' '.join(arguments[:4])}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, objects: Sequence[Object], *, dry: bool = False) -> None:
        """Server-side, every field validated."""
        arguments = ["apply", "--server-side", "--validate=strict", "-f", "-"]
        self.kubectl(*arguments, *(["--dry-run=server"] if dry else []), given=yaml.safe_dump_all(objects))

    def get(self, *arguments: str) -> Object:
        """`kubectl get` as an object."""
        found: Object = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found


def environment(home: Path) -> dict[str, str]:
    """kwokctl keeps its state below this home and asks nobody for the newest version."""
    return {
        "PATH": os.defpath,
        "HOME": str(home),
        "KWOK_WORKDIR": str(home),
        "KWOK_KUBE_VERSION": KUBERNETES,
    }


@contextmanager
def control_plane(home: Path, nodes: int) -> Iterator[ControlPlane]:
    """Starts it, with that many nodes, and takes it down. Unavailable when its parts are not built, or do not start."""
    absent = [tool for tool in missing("k8s") if tool.command in PARTS]
    if absent:
        raise Unavailable(f"{', '.join(tool.command for tool in absent)} not built: run `make k8s-tools`")
    kubeconfig, port = home / "kubeconfig", free_port()
    config = home / "kwokctl.yaml"
    # By default it binds to every address, with an etcd that asks nobody who he is.
    options = {"bindAddress": "127.0.0.1"}
    config.write_text(
        yaml.safe_dump(
            {"kind": "KwokctlConfiguration", "apiVersion": "config.kwok.x-k8s.io/v1alpha1", "options": options}
        )
    )
    kwokctl = [str(built("kwokctl")), f"--name={NAME}"]
    create = [*kwokctl, "create", "cluster", "--runtime=binary", f"--config={config}", f"--kubeconfig={kubeconfig}"]
    create += [f"--kube-apiserver-port={port}", f"--wait={STARTS_WITHIN}"]
    create += [f"--{part}-binary={built(part)}" for part in SERVER_PARTS]
    create += [f"--kwok-controller-binary={built('kwok')}", "--disable-qps-limits"]
    create += ["--extra-args=kube-controller-manager=horizontal-pod-autoscaler-sync-period=2s"]
    try:
        _told(create, home)
        _told([*kwokctl, "scale", "node", f"--replicas={nodes}"], home)
        yield ControlPlane(home, kubeconfig, port)
    finally:
        with suppress(Unavailable):
            _told([*kwokctl, "delete", "cluster"], home)


def _told(command: list[str], home: Path) -> None:
    done = subprocess.run(command, env=environment(home), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{Path(command[0]).name} {' '.join(command[2:4])}: {done.stderr[-2000:]}")


def until(what: str, holds: Callable[[], Any], within_s: float = 60.0, every_s: float = 0.2) -> float:
    """Waits until `holds` says so; the seconds it took. TimedOut when it does not."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > within_s:
            raise TimedOut(f"{what}: not within {within_s:.0f} s")
        time.sleep(every_s)
    return time.monotonic() - began
