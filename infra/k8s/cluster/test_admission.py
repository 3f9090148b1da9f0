"""The API server takes every object as it is, and refuses what must not be."""

import json
from copy import deepcopy

import pytest

from loopline_k8s.arrows import arrows
from loopline_k8s.control_plane import ControlPlane, until
from loopline_k8s.definitions import definitions
from loopline_k8s.keda import conditions
from loopline_k8s.manifests import FOLDER, OVERLAYS, SERVICES, Object, named, objects_in, of_kind, overlay, render
from loopline_k8s.schemas import KEPT, told
from loopline_runtime.errors import Unavailable

BARE_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "bare", "namespace": "loopline"},
    "spec": {"containers": [{"name": "bare", "image": "bare"}]},
}


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_is_taken_with_every_field_and_without_a_warning(running: ControlPlane, name: str):
    # As an upgrade does it: a Job cannot be changed.
    running.kubectl("delete", "job", "provision", "-n", "loopline", "--ignore-not-found")
    running.apply(overlay(name), dry=True)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_alone_is_taken(running: ControlPlane, service: str):
    running.apply(objects_in(render(FOLDER / "services" / service)), dry=True)


def test_an_unknown_field_is_refused(running: ControlPlane):
    (first, *_) = of_kind(overlay("cpu"), "ScaledObject")
    with pytest.raises(Unavailable, match="maxReplicas"):
        running.apply([{**first, "spec": {**first["spec"], "maxReplicas": 3}}], dry=True)


def test_a_pod_that_may_do_more_than_it_needs_is_refused(running: ControlPlane):
    with pytest.raises(Unavailable, match="violates PodSecurity"):
        running.apply([BARE_POD])


def test_the_policies_on_the_server_are_the_arrows(running: ControlPlane):
    there = running.get("networkpolicies", "-n", "loopline")["items"]
    ours = of_kind(overlay("cpu"), "NetworkPolicy")
    assert arrows(there, "egress") == arrows(ours, "egress")
    assert arrows(there, "ingress") == arrows(ours, "ingress")


def test_a_trigger_on_a_consumer_that_does_not_exist_is_seen(running: ControlPlane, manifests: list[Object]):
    """KEDA calls it Ready all the same: who looks must look at its events."""
    right = named(manifests, "ScaledObject", "loopline-evaluation")
    wrong = deepcopy(right)
    wrong["spec"]["triggers"][0]["metadata"]["consumer"] = "nobody"
    running.apply([wrong])
    try:
        until("KEDA says so", lambda: any('consumer "nobody" not found' in told for told in complaints(running)))
        assert conditions(running, "loopline-evaluation")["Ready"] == "True"
    finally:
        running.apply([right])
    until("it is right again", lambda: conditions(running, "loopline-evaluation")["Fallback"] == "False")


def complaints(plane: ControlPlane) -> list[str]:
    events = plane.get("events", "-n", "loopline", "--field-selector=involvedObject.kind=ScaledObject")["items"]
    return [event["message"] for event in events]


def test_the_kept_schemas_are_those_of_the_modules():
    assert definitions()
    fresh = {name: json.dumps(schema, separators=(",", ":"), sort_keys=True) + "\n" for name, schema in told()}
    assert {path.name: path.read_text() for path in KEPT.iterdir()} == fresh, "run `make k8s-schemas`"
