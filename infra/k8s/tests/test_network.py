"""The policies allow the arrows of the architecture, and nothing else."""

from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit

import pytest

from loopline_k8s.arrows import Arrows, arrows
from loopline_k8s.manifests import SERVICES, environment, named, of_kind, overlay

# THE ARROWS: who may call whom, and at which port of the pod. All of ours also speak to the bus.
ARROWS: dict[str, set[tuple[str, int]]] = {
    "ingestion": {("postgres", 5432)},
    "embedding": set(),
    "retrieval": {("embedding", 50051), ("weaviate", 8080), ("weaviate", 50051)},
    "generation": {("retrieval", 50051), ("embedding", 50051), ("model-server", 8080), ("postgres", 5432)},
    "evaluation": {
        *((name, 50051) for name in ("ingestion", "embedding", "retrieval", "generation")),
        ("postgres", 5432),
    },
    "monitoring": {("postgres", 5432)},
}
# What may be called from outside.
PUBLIC = {"ingestion", "retrieval", "generation", "evaluation", "monitoring"}
# Services of the charts: the pods behind them, and their port.
CHARTS = {"nats": ("nats", 4222), "weaviate": ("weaviate", 8080), "weaviate-grpc": ("weaviate", 50051)}


def allowed(direction: Literal["egress", "ingress"]) -> Arrows:
    return arrows(of_kind(overlay("cpu"), "NetworkPolicy"), direction)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_call_whom_the_architecture_says(service: str):
    assert allowed("egress").get(service, set()) == ARROWS[service]


@pytest.mark.parametrize("service", [*SERVICES, "model-server", "weaviate", "nats"])
def test_a_service_may_be_called_by_those_alone(service: str):
    callers = {(caller, port) for caller, called in ARROWS.items() for name, port in called if name == service}
    if service in PUBLIC:
        callers.add(("edge", 50051))
    own = {
        "model-server": {("figures", 8080)},
        "weaviate": {("weaviate", port) for port in (7000, 7001, 8300, 8301)},
        "nats": {("ours", 4222), ("nats", 6222), ("figures", 7777), ("figures", 8222)},
    }
    assert allowed("ingress").get(service, set()) == callers | own.get(service, set())


@pytest.mark.parametrize("service", SERVICES)
def test_settings_name_the_same_targets(service: str):
    given = environment(named(overlay("cpu"), "Deployment", f"loopline-{service}"), overlay("cpu"))
    assert set(targets(given)) - {("nats", 4222)} == ARROWS[service]


def targets(given: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Whom the settings name, as (pods, port of the pod)."""
    for name, value in given.items():
        if value.endswith("-url"):
            yield "postgres", 5432
        elif "://" in value and "//" not in value.partition("://")[0]:
            where = urlsplit(value)
            yield CHARTS.get(where.hostname or "", (where.hostname or "", where.port or 0))
        elif name.rpartition("__")[0] in {"TARGETS", "EMBEDDING"} and ":" in value:
            host, _, port = value.partition(":")
            yield host.removeprefix("loopline-"), int(port)
        elif name in {"WEAVIATE__HOST", "WEAVIATE__GRPC_HOST"}:
            yield CHARTS[value]


@pytest.mark.parametrize("service", SERVICES)
def test_its_callers_see_every_pod(service: str):
    """A channel of gRPC stays with the pod it found: callers balance themselves, over all addresses that a name has."""
    assert named(overlay("cpu"), "Service", f"loopline-{service}")["spec"]["clusterIP"] == "None"


def test_a_server_of_embeddings_is_asked_by_the_embedding_service_alone():
    policies = of_kind(overlay("tei"), "NetworkPolicy")
    model = {("embedding-model", 8080)}
    assert arrows(policies, "egress")["embedding"] == model
    assert {caller for caller, called in arrows(policies, "egress").items() if called & model} == {"embedding"}
    assert arrows(policies, "ingress")["embedding-model"] == {("embedding", 8080), ("figures", 8080)}


def test_the_nodes_of_the_vector_database_gossip_by_datagrams():
    """A policy's port is TCP's unless it says otherwise; without the other a node takes its neighbours for lost."""
    spec = named(overlay("cpu"), "NetworkPolicy", "weaviate")["spec"]
    for direction in ("ingress", "egress"):
        assert {"port": 7000, "protocol": "UDP"} in [port for rule in spec[direction] for port in rule["ports"]]


def test_everybody_else_is_refused():
    everybody = named(overlay("cpu"), "NetworkPolicy", "everybody")["spec"]
    assert everybody["podSelector"] == {}
    assert everybody["policyTypes"] == ["Ingress", "Egress"]
    assert allowed("egress")["everybody"] == {("names", 53)}
    assert "everybody" not in allowed("ingress")
    assert allowed("egress")["ours"] == {("nats", 4222)}
    assert allowed("ingress")["ours"] == {("figures", 9464)}


def test_the_way_in_leads_to_public_services_alone():
    routes = of_kind(overlay("gpu"), "GRPCRoute")
    led = {
        (match["method"]["service"].split(".")[1], backend["name"].removeprefix("loopline-"), backend["port"])
        for route in routes
        for rule in route["spec"]["rules"]
        for match in rule["matches"]
        for backend in rule["backendRefs"]
    }
    assert led == {(service, service, 50051) for service in PUBLIC}
    assert of_kind(overlay("gpu"), "Ingress", "HTTPRoute", "TCPRoute") == []
    assert {found["spec"].get("type", "ClusterIP") for found in of_kind(overlay("gpu"), "Service")} == {"ClusterIP"}
