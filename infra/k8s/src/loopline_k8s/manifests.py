"""What the overlays render to, as plain objects."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

FOLDER = Path(__file__).parents[2]
SERVICES = tuple(sorted(path.name for path in (FOLDER / "services").iterdir() if path.is_dir()))
OVERLAYS = tuple(sorted(path.name for path in (FOLDER / "overlays").iterdir() if path.is_dir()))


class ManifestsError(Exception):
    """A sentence for the person who wrote the manifest."""


def kubectl() -> str:
    """The one that its package brought."""
    return str(Path(sys.executable).with_name("kubectl"))


def render(folder: Path) -> str:
    """YAML of a kustomization, or ManifestsError with kustomize's own words."""
    done = subprocess.run([kubectl(), "kustomize", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ManifestsError(f"{folder} does not render: {done.stderr.strip()}")
    return done.stdout


def objects_in(text: str) -> list[Object]:
    """The objects of a stream of YAML documents."""
    return [found for found in yaml.load_all(text, yaml.CSafeLoader) if found]


@cache
def overlay(name: str) -> tuple[Object, ...]:
    """The objects of an overlay; rendered once."""
    return tuple(objects_in(render(FOLDER / "overlays" / name)))


def title(found: Object) -> str:
    """How a person would call it."""
    return f"{found['kind']}/{found['metadata']['name']}"


def of_kind(objects: Iterable[Object], *kinds: str) -> list[Object]:
    """Those of these kinds."""
    return [found for found in objects if found["kind"] in kinds]


def named(objects: Iterable[Object], kind: str, name: str) -> Object:
    """The one of that kind and name, or ManifestsError."""
    for found in objects:
        if found["kind"] == kind and found["metadata"]["name"] == name:
            return found
    raise ManifestsError(f"there is no {kind}/{name}")


def pod_of(workload: Object) -> Object:
    """The pod that a Deployment, StatefulSet or Job makes."""
    template: Object = workload["spec"]["template"]
    return template


def environment(workload: Object, objects: Iterable[Object]) -> dict[str, str]:
    """Each variable its containers get; a Secret's value reads `secret NAME/KEY`."""
    held = list(objects)
    found: dict[str, str] = {}
    for container in pod_of(workload)["spec"]["containers"]:
        for source in container.get("envFrom", ()):
            found |= named(held, "ConfigMap", source["configMapRef"]["name"])["data"]
        for variable in container.get("env", ()):
            secret = variable.get("valueFrom", {}).get("secretKeyRef")
            found[variable["name"]] = f"secret {secret['name']}/{secret['key']}" if secret else variable["value"]
    return found


def references(found: Object) -> Iterator[tuple[str, str]]:
    """(kind, name) of every object in the same namespace that it needs; Secrets are the operator's."""
    spec = found.get("spec", {})
    if found["kind"] in {"Deployment", "StatefulSet", "Job"}:
        pod = pod_of(found)["spec"]
        if "serviceAccountName" in pod:
            yield "ServiceAccount", pod["serviceAccountName"]
        for container in pod["containers"]:
            for source in container.get("envFrom", ()):
                yield "ConfigMap", source["configMapRef"]["name"]
        if "serviceName" in spec:
            yield "Service", spec["serviceName"]
    if found["kind"] == "ScaledObject":
        target = spec["scaleTargetRef"]
        yield target.get("kind", "Deployment"), target["name"]
        for trigger in spec["triggers"]:
            if "authenticationRef" in trigger:
                yield "TriggerAuthentication", trigger["authenticationRef"]["name"]
    if found["kind"] == "TriggerAuthentication":
        for parameter in spec["configMapTargetRef"]:
            yield "ConfigMap", parameter["name"]
    if found["kind"] == "BackendTLSPolicy":
        for target in spec["targetRefs"]:
            yield "Service", target["name"]
    if found["kind"] == "GRPCRoute":
        for parent in spec["parentRefs"]:
            yield "Gateway", parent["name"]
        for rule in spec["rules"]:
            for backend in rule["backendRefs"]:
                yield "Service", backend["name"]
