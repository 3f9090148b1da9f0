"""Our values for the charts of others, which are not here to be rendered: each key is one that its chart reads, and Skaffold uses them.

The lists stand on what could be read of older versions of the charts, in part on memory; they catch a slip of the pen, not a chart that changed.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from loopline_k8s.manifests import FOLDER, Object

ROOT = FOLDER.parents[1]
# Below a key that ends in `.*` anything goes: it is laid over the object, or set as it is.
READ = {
    "keda": {
        "operator.replicaCount",
        "metricsServer.replicaCount",
        "podDisruptionBudget.operator.*",
        "podDisruptionBudget.metricServer.*",
    },
    "nats": {
        "config.cluster.enabled",
        "config.cluster.replicas",
        "config.cluster.merge.*",
        "config.cluster.tls.*",
        "config.jetstream.enabled",
        "config.jetstream.fileStore.pvc.size",
        "config.jetstream.merge.*",
        "config.monitor.enabled",
        "config.monitor.port",
        "config.nats.tls.*",
        "config.merge.*",
        "container.image.tag",
        "container.merge.*",
        "podTemplate.topologySpreadConstraints.*",
        "podTemplate.merge.*",
        "podDisruptionBudget.enabled",
        "reloader.enabled",
        "reloader.merge.*",
        "promExporter.enabled",
        "promExporter.merge.*",
        "promExporter.podMonitor.enabled",
        "natsBox.enabled",
        "tlsCA.*",
    },
    "weaviate": {
        "image.tag",
        "replicas",
        "storage.size",
        "resources.*",
        "securityContext.*",
        "containerSecurityContext.*",
        "initContainers.sysctlInitContainer.enabled",
        "service.type",
        "grpcService.enabled",
        "grpcService.type",
        "authentication.anonymous_access.enabled",
        "authorization.admin_list.enabled",
        "authorization.admin_list.users",
        "env.*",
        "envSecrets.*",
    },
}
CONFIGS = list(yaml.safe_load_all((ROOT / "skaffold.yaml").read_text()))
CHARTS: Object = next(config for config in CONFIGS if config["metadata"]["name"] == "charts")
RELEASES: list[Object] = CHARTS["deploy"]["helm"]["releases"]


def values(chart: str) -> Any:
    return yaml.safe_load((FOLDER / f"values/{chart}.yaml").read_text())


def keys(found: Any, before: str = "") -> Iterator[str]:
    if isinstance(found, dict) and found:
        for name, inner in found.items():
            yield from keys(inner, f"{before}.{name}" if before else name)
    else:
        yield before


def is_read(chart: str, key: str) -> bool:
    return key in READ[chart] or any(one.endswith(".*") and key.startswith(one[:-1]) for one in READ[chart])


@pytest.mark.parametrize("chart", sorted(READ))
def test_a_value_is_one_that_its_chart_reads(chart: str):
    (release,) = (release for release in RELEASES if release["name"] == chart)
    set_here = {*keys(values(chart)), *release.get("setValues", ())}
    assert {key for key in set_here if not is_read(chart, key)} == set()


def test_production_takes_every_one_of_the_files():
    (gpu,) = (profile for profile in CHARTS["profiles"] if profile["name"] == "gpu")
    given = {path for release in RELEASES for path in release.get("valuesFiles", ())}
    given |= {path for patch in gpu["patches"] for path in patch.get("value", ())}
    assert given == {f"infra/k8s/values/{chart}.yaml" for chart in READ}
    removed = {patch["path"].split("/")[4] for patch in gpu["patches"] if patch["op"] == "remove"}
    assert removed == {str(number) for number, release in enumerate(RELEASES) if "setValues" in release}


def test_the_bus_keeps_three_copies_on_disk_before_it_says_yes():
    config = values("nats")["config"]
    assert config["cluster"] == {**config["cluster"], "enabled": True, "replicas": 3}
    assert config["jetstream"]["merge"]["sync_interval"] == "always"


def test_the_vector_database_lets_nobody_in_unnamed_and_is_not_seen_from_outside():
    given = values("weaviate")
    assert given["authentication"]["anonymous_access"]["enabled"] is False
    assert given["env"]["AUTHENTICATION_APIKEY_ENABLED"] == "true"
    assert "AUTHENTICATION_APIKEY_ALLOWED_KEYS" in given["envSecrets"]
    assert {given["service"]["type"], given["grpcService"]["type"]} == {"ClusterIP"}
    assert given["replicas"] == given["env"]["REPLICATION_MINIMUM_FACTOR"] == 3
