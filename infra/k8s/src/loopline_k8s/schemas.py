"""Objects against their schemas, strictly: an unknown field is an error. `python -m loopline_k8s.schemas` writes those of the CRDs anew.

Kubernetes' own come with the package kubernetes-validate. KEDA's, the Gateway API's and the Prometheus operator's are taken from
their Go modules and kept in `schemas/`, without descriptions.
"""

import json
import sys
from collections.abc import Iterator
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from loopline_k8s.definitions import definitions
from loopline_k8s.manifests import FOLDER, Object, title

KUBERNETES = "v1.36.0-local-strict"
KEPT = FOLDER / "schemas"
# What the manifests use of the three.
KINDS = (
    "ScaledObject",
    "TriggerAuthentication",
    "Gateway",
    "GRPCRoute",
    "BackendTLSPolicy",
    "ServiceMonitor",
    "PrometheusRule",
)


def violations(found: Object) -> list[str]:
    """What the API server would refuse, each with the place in the object; a kind without a schema is one."""
    validator = _validator(found["apiVersion"], found["kind"])
    if validator is None:
        return [f"{title(found)}: there is no schema of {found['apiVersion']} {found['kind']}"]
    errors = sorted(validator.iter_errors(found), key=lambda error: error.json_path)
    return [f"{title(found)}: {error.json_path}: {error.message[:300]}" for error in errors]


def name_of(api_version: str, kind: str) -> str:
    """As both collections name their files: kind, first label of the group, version."""
    group, _, version = api_version.rpartition("/")
    return "-".join(part for part in (kind.lower(), group.partition(".")[0], version) if part)


@cache
def _validator(api_version: str, kind: str) -> Draft202012Validator | None:
    name = f"{name_of(api_version, kind)}.json"
    if (KEPT / name).exists():
        return Draft202012Validator(strict(json.loads((KEPT / name).read_text())))
    packaged = files("kubernetes_validate") / "kubernetes-json-schema" / KUBERNETES
    if not (packaged / name).is_file():
        return None
    return Draft202012Validator(json.loads((packaged / name).read_text()), registry=_kubernetes())


@cache
def _kubernetes() -> "Registry[Any]":
    with as_file(files("kubernetes_validate") / "kubernetes-json-schema" / KUBERNETES / "_definitions.json") as path:
        return Resource.from_contents(json.loads(path.read_text())) @ Registry()


def strict(schema: Any, *, names: bool = False) -> Any:
    """A CRD's schema as JSON schema that refuses unknown fields; metadata is any object. `names`: the keys are fields."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if names:
        return {key: strict(value) for key, value in schema.items()}
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    kept = {key: value for key, value in schema.items() if not key.startswith("x-") and key != "format"}
    made = {key: strict(value, names=key == "properties") for key, value in kept.items()}
    if "properties" in made and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


def told() -> Iterator[tuple[str, Object]]:
    """File name and schema of each kind in use, from the modules."""
    wanted = {f"{kind.lower()}s".replace("policys", "policies") for kind in KINDS}
    for path in definitions():
        if path.stem.rpartition("_")[2] not in wanted:
            continue
        (definition,) = yaml.load_all(path.read_text(), _Loader)
        spec = definition["spec"]
        (version,) = (version for version in spec["versions"] if version["storage"])
        name = name_of(f"{spec['group']}/{version['name']}", spec["names"]["kind"])
        yield f"{name}.json", bare(version["schema"]["openAPIV3Schema"])


class _Loader(yaml.CSafeLoader):
    """Reads `=` as text, which YAML 1.1 gives a meaning that nobody uses."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda _, node: str(node.value))


def bare(schema: Any, *, names: bool = False) -> Any:
    """Without descriptions, which are nine tenths of it. `names`: the keys are fields, of which one may be called so."""
    if isinstance(schema, list):
        return [bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if names:
        return {key: bare(value) for key, value in schema.items()}
    kept = {key: value for key, value in schema.items() if key not in {"description", "x-kubernetes-validations"}}
    return {key: bare(value, names=key == "properties") for key, value in kept.items()}


def main() -> None:
    """Writes `schemas/`."""
    KEPT.mkdir(exist_ok=True)
    for name, schema in told():
        (KEPT / name).write_text(json.dumps(schema, separators=(",", ":"), sort_keys=True) + "\n")
        sys.stdout.write(f"{Path('infra/k8s/schemas') / name}\n")


if __name__ == "__main__":
    main()
