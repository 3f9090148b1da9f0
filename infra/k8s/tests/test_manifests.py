"""What the manifests say is true of the services they run; without a cluster."""

import importlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import BaseModel

from loopline_contracts.channels import DURABLES
from loopline_grpc.health import ALIVE
from loopline_grpc.methods import methods_of
from loopline_k8s.manifests import (
    FOLDER,
    OVERLAYS,
    SERVICES,
    Object,
    environment,
    named,
    objects_in,
    of_kind,
    overlay,
    pod_of,
    references,
    render,
    title,
)
from loopline_k8s.schemas import violations
from loopline_nats.settings import ProvisionSettings

ROOT = FOLDER.parents[1]
# What an operator's Secrets hold: values of the right shape.
SECRETS = {"url": "postgresql://loopline@postgres/loopline", "key": "0" * 32}
# Answers calls and hears nothing, or the other way round, are both fine; one that must be alone says so here.
ALONE = {"monitoring"}


def base() -> tuple[Object, ...]:
    return overlay("cpu")


def deployment(service: str) -> Object:
    return named(base(), "Deployment", f"loopline-{service}")


def scaled(service: str) -> Object:
    return named(base(), "ScaledObject", f"loopline-{service}")["spec"]


def triggers(service: str) -> list[dict[str, str]]:
    return [trigger["metadata"] for trigger in scaled(service)["triggers"] if trigger["type"] == "nats-jetstream"]


def settings_of(service: str) -> type[BaseModel]:
    found: type[BaseModel] = importlib.import_module(f"loopline_{service}.settings").Settings
    return found


def leaves(model: type[BaseModel], before: str = "") -> set[str]:
    """The variables that a settings class reads."""
    found = set()
    for name, field in model.model_fields.items():
        inner = field.annotation
        key = f"{before}{name.upper()}"
        nested = isinstance(inner, type) and issubclass(inner, BaseModel)
        found |= leaves(inner, f"{key}__") if nested else {key}
    return found


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_renders_to_objects_that_their_schemas_know(name: str):
    assert [sentence for found in overlay(name) for sentence in violations(found)] == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_reference_leads_to_an_object(name: str):
    there = {(found["kind"], found["metadata"]["name"]) for found in overlay(name)}
    assert {ref for found in overlay(name) for ref in references(found)} - there == set()


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_object_is_there_twice_and_all_are_in_one_namespace(name: str):
    titles = [title(found) for found in overlay(name)]
    assert len(titles) == len(set(titles))
    assert {found["metadata"].get("namespace", "loopline") for found in overlay(name)} == {"loopline"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_renders_alone(service: str):
    kinds = sorted(found["kind"] for found in objects_in(render(FOLDER / "services" / service)))
    assert kinds == [
        "ConfigMap",
        "Deployment",
        "PodDisruptionBudget",
        *(["ScaledObject"] if service not in ALONE else []),
        "Service",
        "ServiceAccount",
    ]


def test_every_service_has_its_manifests_and_its_way_in():
    services = {path.name for path in (ROOT / "services").iterdir() if (path / "pyproject.toml").exists()}
    assert set(SERVICES) == services
    for kind, wanted in (("Deployment", services), ("NetworkPolicy", services), ("ScaledObject", services - ALONE)):
        names = {found["metadata"]["name"].removeprefix("loopline-") for found in of_kind(base(), kind)}
        assert names & services == wanted, kind


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("service", SERVICES)
def test_settings_know_every_variable_and_miss_none(service: str, name: str, monkeypatch: pytest.MonkeyPatch):
    given = environment(named(overlay(name), "Deployment", f"loopline-{service}"), overlay(name))
    assert set(given) - leaves(settings_of(service)) == set()
    for variable, value in given.items():
        secret = SECRETS["url" if value.endswith("-url") else "key"]
        monkeypatch.setenv(variable, secret if value.startswith("secret ") else value)
    settings: Any = settings_of(service)()
    assert settings.access.mode == "keys"
    assert settings.grpc.tls.used == settings.peers.used == settings.nats.tls.used == (name == "secure")


def test_the_step_that_provisions_knows_its_variables(monkeypatch: pytest.MonkeyPatch):
    given = environment(named(base(), "Job", "provision"), base())
    assert set(given) <= leaves(ProvisionSettings)
    for name, value in given.items():
        monkeypatch.setenv(name, SECRETS["key"] if value.startswith("secret ") else value)
    settings = ProvisionSettings()
    services = environment(deployment("ingestion"), base())
    assert (settings.nats.url, settings.provision.replicas) == (services["NATS__URL"], 3)


@pytest.mark.parametrize("workload", [*(f"loopline-{service}" for service in SERVICES), "provision"])
def test_certificates_and_credentials_are_where_the_settings_look(workload: str):
    found = named(overlay("secure"), "Job" if workload == "provision" else "Deployment", workload)
    own, pod = workload.removeprefix("loopline-"), pod_of(found)["spec"]
    (volume,) = (volume for volume in pod["volumes"] if volume["name"] == "secure")
    sources = [source["secret"] for source in volume["projected"]["sources"]]
    credentials = [{"key": "nats.creds", "path": "nats.creds"}]
    assert sources == [{"name": f"{own}-tls"}, {"name": own, "items": credentials}]
    assert pod["securityContext"]["fsGroup"] == 10001  # who may read them
    (container,) = pod["containers"]
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    files = {value for value in environment(found, overlay("secure")).values() if value.startswith("/secure/")}
    names = ("tls.crt", "tls.key", "ca.crt", "nats.creds")
    assert files == {f"{mounted['secure']}/{name}" for name in names}


@pytest.mark.parametrize("service", SERVICES)
def test_behind_tls_probes_ask_at_the_port_of_health(service: str):
    found = named(overlay("secure"), "Deployment", f"loopline-{service}")
    given, (container,) = environment(found, overlay("secure")), pod_of(found)["spec"]["containers"]
    assert {str(container[probe]["grpc"]["port"]) for probe in ("startupProbe", "readinessProbe", "livenessProbe")} == {
        given["GRPC__HEALTH_PORT"]
    }
    assert {port["name"]: str(port["containerPort"]) for port in container["ports"]}["health"] == "50052"
    ports = named(overlay("secure"), "Service", found["metadata"]["name"])["spec"]["ports"]
    assert all("appProtocol" not in port for port in ports)  # h2c would be without TLS
    # Who is asked from outside shows a certificate; who is asked by services alone wants one too.
    routed = {policy["metadata"]["name"] for policy in of_kind(overlay("secure"), "BackendTLSPolicy")}
    assert ("GRPC__TLS__CA" in given) == (service not in routed)
    assert routed == {route["metadata"]["name"] for route in of_kind(overlay("secure"), "GRPCRoute")}


def test_behind_credentials_the_scalers_read_the_account_that_the_operator_tells():
    spec = named(overlay("secure"), "TriggerAuthentication", "nats")["spec"]
    assert spec["secretTargetRef"] == [{"parameter": "account", "name": "provision", "key": "account"}]
    assert [parameter["parameter"] for parameter in spec["configMapTargetRef"]] == ["natsServerMonitoringEndpoint"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_secrets_lie_in_secrets(name: str):
    """A ConfigMap holds no setting that its service calls secret, and no password in an address."""
    for found in of_kind(overlay(name), "ConfigMap"):
        secret = {key for key in found["data"] if key.endswith(("__KEY", "_TOKEN", "_KEY"))}
        assert secret == set(), title(found)
        assert [key for key, value in found["data"].items() if "://" in value and "@" in value] == [], title(found)


@pytest.mark.parametrize("service", SERVICES)
def test_it_scales_on_its_own_consumers_and_on_all_of_them(service: str):
    own = {(durable.stream, durable.name) for durable in DURABLES if durable.hearer == service}
    if service in ALONE:
        assert deployment(service)["spec"]["replicas"] == 1
        return
    assert {(trigger["stream"], trigger["consumer"]) for trigger in triggers(service)} == own


def test_two_services_never_share_a_trigger():
    shown = [
        str(trigger["metadata"]) for found in of_kind(base(), "ScaledObject") for trigger in found["spec"]["triggers"]
    ]
    assert len(shown) == len(set(shown))


@pytest.mark.parametrize("service", sorted(set(SERVICES) - ALONE))
def test_what_has_a_door_is_never_below_two_and_comes_down_slower_than_it_goes_up(service: str):
    spec = scaled(service)
    budget = named(base(), "PodDisruptionBudget", f"loopline-{service}")["spec"]
    assert budget["minAvailable"] == 2
    # One more, or a node could never be drained.
    assert spec["minReplicaCount"] > budget["minAvailable"]
    assert spec["fallback"]["replicas"] >= spec["minReplicaCount"]
    pace = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    up, down = pace["scaleUp"], pace["scaleDown"]
    assert down["stabilizationWindowSeconds"] > up["stabilizationWindowSeconds"]
    assert speed(down) < speed(up)


def speed(rules: dict[str, Any]) -> float:
    """Pods a minute, by the policy that counts pods."""
    return max(rule["value"] * 60 / rule["periodSeconds"] for rule in rules["policies"] if rule["type"] == "Pods")


@pytest.mark.parametrize("service", SERVICES)
def test_probes_ask_for_the_door_by_its_name(service: str):
    (container,) = pod_of(deployment(service))["spec"]["containers"]
    wanted = {"port": 50051, "service": f"loopline.{service}.v1.{service.capitalize()}Service"}
    importlib.import_module(f"loopline.{service}.v1.{service}_service_pb2")
    assert container["startupProbe"]["grpc"] == container["readinessProbe"]["grpc"] == wanted
    assert methods_of(wanted["service"])
    ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
    given = environment(deployment(service), base())
    assert ports == {"grpc": given["GRPC__PORT"], "metrics": given["TELEMETRY__METRICS_PORT"]}


@pytest.mark.parametrize("service", sorted(set(SERVICES) - ALONE))
def test_calls_in_flight_are_those_of_a_method_that_exists(service: str):
    for trigger in scaled(service)["triggers"]:
        if trigger["type"] != "metrics-api":
            continue
        shown = trigger["metadata"]
        name, _, labels = shown["valueLocation"].partition("{")
        importlib.import_module(f"loopline.{service}.v1.{service}_service_pb2")
        known = methods_of(f"loopline.{service}.v1.{service.capitalize()}Service").values()
        assert name == "loopline_rpc_in_flight"
        assert "{" + labels in {f'{{service="{method.service}",method="{method.name}"}}' for method in known}
        assert shown["url"] == f"http://loopline-{service}.loopline.svc:9464/metrics"


@pytest.mark.parametrize("name", OVERLAYS)
def test_pages_of_figures_are_found_by_the_name_of_their_service(name: str):
    """KEDA takes what lies between the first two dots for the namespace: without `.svc` the port goes with it."""
    for found in of_kind(overlay(name), "ScaledObject"):
        for trigger in found["spec"]["triggers"]:
            if trigger["type"] != "metrics-api":
                continue
            shown, url = trigger["metadata"], urlsplit(trigger["metadata"]["url"])
            service, namespace, rest = str(url.hostname).split(".", 2)
            assert (namespace, rest) == ("loopline", "svc")
            ports = named(overlay(name), "Service", service)["spec"]["ports"]
            assert url.port in {port["port"] for port in ports}
            assert (shown["aggregateFromKubeServiceEndpoints"], shown["aggregationType"]) == ("true", "sum")


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_keeps_apart_from_its_like_and_is_started_again_for_its_own_ailments_alone(service: str):
    pod = pod_of(deployment(service))
    spread = pod["spec"]["topologySpreadConstraints"]
    assert {rule["topologyKey"] for rule in spread} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert all(rule["labelSelector"]["matchLabels"] == pod["metadata"]["labels"] for rule in spread)
    (container,) = pod["spec"]["containers"]
    assert container["livenessProbe"]["grpc"] == {"port": 50051, "service": ALIVE}


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_has_the_time_to_finish(service: str):
    pod = pod_of(deployment(service))["spec"]
    (container,) = pod["containers"]
    given = environment(deployment(service), base())
    waits = [durable.ack_wait_s for durable in DURABLES if durable.hearer == service]
    pre_stop = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    # Last words of calls 3 s, of handlers 8 s.
    assert pod["terminationGracePeriodSeconds"] > max([pre_stop + float(given["GRPC__GRACE_S"]) + 3 + 8, *waits])


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_may_do_nothing_that_they_need_not(name: str):
    for workload in of_kind(overlay(name), "Deployment", "StatefulSet", "Job"):
        pod = pod_of(workload)["spec"]
        assert pod["automountServiceAccountToken"] is False, title(workload)
        assert pod["securityContext"]["runAsNonRoot"] is True, title(workload)
        assert pod["securityContext"]["runAsUser"] == 10001, title(workload)
        for container in pod["containers"]:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, title(workload)
            assert own["capabilities"] == {"drop": ["ALL"]}, title(workload)
            assert own.get("readOnlyRootFilesystem") or container["name"] in {"tgi", "tei"}, title(workload)
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), title(workload)
            assert "memory" in container["resources"]["limits"], title(workload)


def test_text_embeddings_inference_takes_the_place_of_the_model_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in environment(named(overlay("tei"), "Deployment", "loopline-embedding"), overlay("tei")).items():
        monkeypatch.setenv(name, SECRETS["key"] if value.startswith("secret ") else value)
    url = urlsplit(settings_of("embedding")().tei.url)
    (port,) = named(overlay("tei"), "Service", str(url.hostname))["spec"]["ports"]
    assert port["port"] == url.port
    # What new collections name is what it is told to serve.
    told = environment(named(overlay("tei"), "StatefulSet", "embedding-model"), overlay("tei"))
    wanted = environment(named(overlay("tei"), "Deployment", "loopline-ingestion"), overlay("tei"))
    assert set(wanted) - leaves(settings_of("ingestion")) == set()
    assert (wanted["EMBEDDING__MODEL"], wanted["EMBEDDING__REVISION"]) == (told["MODEL_ID"], told["REVISION"])
    # On GPU nodes: the same, each pod with an accelerator of its own.
    folder = os.path.relpath(FOLDER, tmp_path.resolve())
    kustomization = {"resources": [f"{folder}/base"], "components": [f"{folder}/components/tei-gpu"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    found = objects_in(render(tmp_path))
    assert [sentence for one in found for sentence in violations(one)] == []
    pod = pod_of(named(found, "StatefulSet", "embedding-model"))["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert not container["image"].split(":")[1].startswith("cpu-")
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"


@pytest.mark.parametrize("name", OVERLAYS)
def test_services_and_budgets_select_pods_that_exist(name: str):
    workloads = of_kind(overlay(name), "Deployment", "StatefulSet", "Job")
    labels = [pod_of(workload)["metadata"]["labels"] for workload in workloads]
    for found in of_kind(overlay(name), "Service", "PodDisruptionBudget"):
        selector = found["spec"]["selector"]
        wanted = selector.get("matchLabels", selector)
        assert sum(wanted.items() <= own.items() for own in labels) == 1, title(found)


def test_the_model_is_where_the_image_has_it():
    """One line of the Dockerfile and two settings mean the same folder."""
    given = [environment(deployment(service), base()) for service in ("embedding", "ingestion")]
    assert {Path(given[0]["MODEL__PATH"]), Path(given[1]["EXTRACTION__TOKENIZER"]).parent} == {
        Path("/models/all-MiniLM-L6-v2")
    }
