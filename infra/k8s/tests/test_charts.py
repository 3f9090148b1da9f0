"""Our values for the charts of others, which are not here to be rendered: each key is one that its chart reads, and Skaffold uses them.

The lists are what the charts' own files read: `values.yaml` of Weaviate's 17.8.1 whole; of NATS' 1.x the files under `files/` and its tests; of
KEDA's the table of its README at 2.17. They catch a slip of the pen and a key that was never there, not a chart that changed.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from loopline_contracts.streams import GIB, STREAMS, Bucket
from loopline_k8s.manifests import FOLDER, Object

ROOT = FOLDER.parents[1]
# Below a key that ends in `.*` anything goes: it is laid over the object, or set as it is.
READ = {
    "keda": {
        "operator.replicaCount",
        "metricsServer.replicaCount",
        "podDisruptionBudget.operator.*",
        "podDisruptionBudget.metricServer.*",
        "prometheus.operator.enabled",
        "prometheus.operator.serviceMonitor.enabled",
    },
    "nats": {
        "config.cluster.enabled",
        "config.cluster.replicas",
        "config.jetstream.enabled",
        "config.jetstream.fileStore.pvc.size",
        "config.jetstream.merge.*",
        "config.monitor.enabled",
        "config.monitor.port",
        *(
            f"config.{door}.tls.{key}"
            for door in ("nats", "cluster")
            for key in ("enabled", "secretName", "dir", "merge.*")
        ),
        "config.merge.*",
        "container.image.tag",
        "container.merge.*",
        "container.patch",
        "podTemplate.topologySpreadConstraints.*",
        "podTemplate.merge.*",
        "podTemplate.patch",
        "podDisruptionBudget.enabled",
        "reloader.enabled",
        "reloader.merge.*",
        "promExporter.enabled",
        "promExporter.merge.*",
        "promExporter.podMonitor.enabled",
        "natsBox.enabled",
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
        "podDisruptionBudgets.weaviate.enabled",
        "podDisruptionBudgets.weaviate.spec.*",
        "env.*",
        "envSecrets.*",
    },
}
# Written by Weaviate's chart beside what `env` holds: the same name twice in a container is refused.
SET_BY_THE_CHART = {
    "CLUSTER_BASIC_AUTH_USERNAME",
    "CLUSTER_BASIC_AUTH_PASSWORD",
    "CLUSTER_JOIN",
    "DEFAULT_VECTORIZER_MODULE",
    "ENABLE_MODULES",
    "PERSISTENCE_DATA_PATH",
    "RAFT_BOOTSTRAP_EXPECT",
    "RAFT_JOIN",
    "STANDALONE_MODE",
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


@pytest.mark.parametrize("file", ["keda", "nats", "nats-secure", "weaviate"])
def test_a_value_is_one_that_its_chart_reads(file: str):
    chart = file.removesuffix("-secure")
    (release,) = (release for release in RELEASES if release["name"] == chart)
    set_here = {*keys(values(file)), *release.get("setValues", ())}
    assert {key for key in set_here if not is_read(chart, key)} == set()


def test_the_environment_of_the_vector_database_names_nothing_twice():
    given = values("weaviate")
    assert given["env"].keys() & (SET_BY_THE_CHART | given["envSecrets"].keys()) == set()


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


def test_the_volume_of_the_bus_holds_all_that_may_lie_in_it_and_room_to_compact():
    size = values("nats")["config"]["jetstream"]["fileStore"]["pvc"]["size"]
    # Uploads may take 64 GiB, every other bucket one.
    allowed = sum(stream.max_bytes for stream in STREAMS) + (64 + len(Bucket) - 1) * GIB
    assert int(size.removesuffix("Gi")) * GIB >= 1.25 * allowed


def test_the_bus_of_a_secure_line_shows_and_wants_certificates_at_both_doors():
    config = values("nats-secure")["config"]
    for door in ("nats", "cluster"):
        tls = config[door]["tls"]
        assert tls["enabled"]
        assert tls["merge"] == {"ca_file": f"{tls['dir']}/ca.crt", "verify": True}


def test_the_vector_database_lets_nobody_in_unnamed_and_is_not_seen_from_outside():
    given = values("weaviate")
    assert given["authentication"]["anonymous_access"]["enabled"] is False
    assert given["env"]["AUTHENTICATION_APIKEY_ENABLED"] == "true"
    assert "AUTHENTICATION_APIKEY_ALLOWED_KEYS" in given["envSecrets"]
    assert {given["service"]["type"], given["grpcService"]["type"]} == {"ClusterIP"}
    assert given["replicas"] == given["env"]["REPLICATION_MINIMUM_FACTOR"] == 3
