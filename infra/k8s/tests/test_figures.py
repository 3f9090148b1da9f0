"""Alerts and dashboards read figures that exist."""

import json
import re

import pytest
import yaml

from loopline_contracts.channels import CHANNEL_BY_NAME
from loopline_k8s.manifests import FOLDER, SERVICES, Object, named, of_kind, overlay
from loopline_runtime import names

# Of others, as their exporters call them: NATS (its chart sets the prefix, `nats`), TGI, the kubelet, kube-state-metrics, KEDA.
FOREIGN = {
    "nats_consumer_num_pending",
    "nats_consumer_num_ack_pending",
    "tgi_queue_size",
    "tgi_batch_current_size",
    "kubelet_volume_stats_used_bytes",
    "kubelet_volume_stats_capacity_bytes",
    "kube_deployment_status_replicas_available",
    "keda_scaler_detail_errors_total",
}
OURS = {value for name, value in vars(names).items() if name.isupper() and str(value).startswith("loopline_")}


def rules() -> list[Object]:
    spec = named(overlay("gpu"), "PrometheusRule", "loopline")["spec"]
    return [rule for group in spec["groups"] for rule in group["rules"]]


def panels() -> list[Object]:
    found: list[Object] = json.loads(named(overlay("gpu"), "ConfigMap", "dashboard")["data"]["dashboard.json"])[
        "panels"
    ]
    return found


def expressions() -> list[str]:
    return [rule["expr"] for rule in rules()] + [target["expr"] for panel in panels() for target in panel["targets"]]


@pytest.mark.parametrize("expression", expressions())
def test_a_figure_is_one_that_somebody_shows(expression: str):
    read = set(re.findall(r"\b(?:loopline|nats|tgi|kube|kubelet|keda)_[a-z_]+\b(?=[{\[) ]|$)", expression))
    assert read
    assert {re.sub(r"_bucket$", "", name) for name in read} <= OURS | FOREIGN
    for event in re.findall(r'event=~?"([^"]+)"', expression):
        assert set(event.split("|")) <= set(CHANNEL_BY_NAME)


def test_what_a_scaler_asks_of_prometheus_has_a_test_with_figures():
    """`promtool` computes each of them in `make k8s-test`."""
    tried = yaml.safe_load((FOLDER / "components/observed/alerts.test.yaml").read_text())["tests"]
    shown = [
        trigger["metadata"]["query"]
        for found in of_kind(overlay("gpu"), "ScaledObject")
        for trigger in found["spec"]["triggers"]
        if trigger["type"] == "prometheus"
    ]
    assert shown
    assert set(shown) <= {case["expr"] for group in tried for case in group.get("promql_expr_test", ())}


def test_what_an_operator_must_see_is_drawn():
    titles = {panel["title"] for panel in panels()}
    wanted = {"Lag", "Stage latency, p95", "Documents accepted and rejected", "Dead letters and parked deliveries"}
    wanted |= {"First token", "Tokens a second", "Cost an hour", "Drift"}
    assert wanted <= titles


def test_every_alert_has_its_page():
    page = (FOLDER / "README.md").read_text()
    assert [rule["alert"] for rule in rules() if f"### {rule['alert']}" not in page] == []


def test_every_services_figures_are_scraped():
    monitor = named(overlay("gpu"), "ServiceMonitor", "loopline")["spec"]
    for service in SERVICES:
        found = named(overlay("gpu"), "Service", f"loopline-{service}")
        assert monitor["selector"]["matchLabels"].items() <= found["metadata"]["labels"].items()
        assert {port["name"] for port in found["spec"]["ports"]} >= {end["port"] for end in monitor["endpoints"]}
