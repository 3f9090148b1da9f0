"""What a test of scaling needs: the manifests at a test's pace, and an eye on every replica, each second."""

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from loopline_k8s.control_plane import ControlPlane
from loopline_k8s.manifests import SERVICES, Object, of_kind, pod_of
from loopline_runtime.errors import Unavailable

# Down at once; up stays as it is in production.
DOWN_AT_ONCE = {
    "stabilizationWindowSeconds": 0,
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 1}],
}
LOOK_S = 1.0
NAMESPACE = "loopline"
# The Service whose endpoints are the metrics pages of a test.
PAGES = "pages"
# What KEDA scales.
SCALED = tuple(service for service in SERVICES if service != "monitoring")


def as_tested(objects: Iterable[Object], *, monitor: str, figures: int, prometheus: str = "") -> list[Object]:
    """The same objects with the bus and the metrics pages on this machine, and down-scaling without the quiet minutes.

    A pod that runs without containers has no metrics page, so all triggers on calls in flight read, by the name of a
    Service as in production, one page here instead of one of every pod, and volumes are made of nothing.
    """
    changed = [*deepcopy(list(objects)), *_pages(figures)]
    for found in changed:
        if found["kind"] == "ConfigMap" and found["metadata"]["name"] == "bus-figures":
            found["data"]["endpoint"] = monitor
        if found["kind"] == "ScaledObject":
            spec = found["spec"]
            spec["pollingInterval"] = 1
            spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"] = DOWN_AT_ONCE
            for trigger in spec["triggers"]:
                if trigger["type"] == "prometheus":
                    trigger["metadata"]["serverAddress"] = prometheus
                if trigger["type"] == "metrics-api":
                    url = urlsplit(trigger["metadata"]["url"])
                    _, _, rest = str(url.hostname).partition(".")
                    trigger["metadata"]["url"] = f"http://{PAGES}.{rest}:{figures}{url.path}"
        if found["kind"] == "StatefulSet":
            for claim in found["spec"].pop("volumeClaimTemplates", ()):
                volumes = found["spec"]["template"]["spec"].setdefault("volumes", [])
                volumes.append({"name": claim["metadata"]["name"], "emptyDir": {}})
    return changed


def own_address() -> str:
    """Of this machine, for others: no loopback may be an endpoint. Unavailable when it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))  # sends nothing
        except OSError as error:
            raise Unavailable("this machine has no address but loopback, and no endpoint may have that") from error
        address: str = asked.getsockname()[0]
        return address


def _pages(port: int) -> list[Object]:
    metadata = {"name": PAGES, "namespace": NAMESPACE}
    named = {"name": "metrics", "port": port}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"clusterIP": "None", "ports": [named]}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": {"kubernetes.io/service-name": PAGES}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [own_address()], "conditions": {"ready": True}}],
            "ports": [named],
        },
    ]


def secrets_for(objects: Iterable[Object]) -> list[Object]:
    """What the operator makes beforehand: every Secret that a pod names, with every key. KEDA reads them too."""
    wanted: dict[str, set[str]] = {}
    for workload in of_kind(objects, "Deployment", "StatefulSet", "Job"):
        for container in pod_of(workload)["spec"]["containers"]:
            for variable in container.get("env", ()):
                named = variable.get("valueFrom", {}).get("secretKeyRef")
                if named:
                    wanted.setdefault(named["name"], set()).add(named["key"])
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "stringData": dict.fromkeys(sorted(keys), "of a test"),
        }
        for name, keys in wanted.items()
    ]


def ready(plane: ControlPlane) -> dict[str, int]:
    """Ready replicas by service."""
    return {
        item["metadata"]["name"].removeprefix("loopline-"): item.get("status", {}).get("readyReplicas", 0)
        for item in plane.get("deployments", "-n", NAMESPACE)["items"]
    }


@dataclass
class Watch:
    """Ready replicas by service, as they were at each look."""

    samples: list[dict[str, int]] = field(default_factory=list)

    def fewest(self, service: str) -> int:
        """That were seen ready at once."""
        return min(sample[service] for sample in self.samples)

    def most(self, service: str) -> int:
        """That were seen ready at once."""
        return max(sample[service] for sample in self.samples)


@contextmanager
def watching(plane: ControlPlane) -> Iterator[Watch]:
    """Looks every second until the block ends, and once more then."""
    watch, done = Watch(), threading.Event()

    def look() -> None:
        while not done.is_set():
            began = time.monotonic()
            watch.samples.append(ready(plane))
            done.wait(max(0.0, LOOK_S - (time.monotonic() - began)))

    thread = threading.Thread(target=look, name="watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        thread.join()
        watch.samples.append(ready(plane))
