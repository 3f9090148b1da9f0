"""TGI's pods: where they run, what they keep, when they are ready, how many may go at once, and who reads their figures."""

from loopline_k8s.manifests import Object, named, overlay, pod_of


def pod() -> Object:
    found: Object = pod_of(named(overlay("gpu"), "StatefulSet", "model-server"))
    return found


def test_it_runs_on_nodes_with_an_accelerator_and_has_one_of_its_own():
    spec = pod()["spec"]
    (container,) = spec["containers"]
    assert spec["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in spec["tolerations"]
    assert {container["resources"][kind]["nvidia.com/gpu"] for kind in ("requests", "limits")} == {"1"}


def test_its_weights_outlive_it_and_its_processes_share_memory():
    spec = pod()["spec"]
    (container,) = spec["containers"]
    (claim,) = named(overlay("gpu"), "StatefulSet", "model-server")["spec"]["volumeClaimTemplates"]
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert (
        mounted[claim["metadata"]["name"]] == named(overlay("gpu"), "ConfigMap", tgi())["data"]["HUGGINGFACE_HUB_CACHE"]
    )
    (shared,) = (volume for volume in spec["volumes"] if volume.get("emptyDir", {}).get("medium") == "Memory")
    assert mounted[shared["name"]] == "/dev/shm"


def tgi() -> str:
    (container,) = pod()["spec"]["containers"]
    (settings,) = container["envFrom"]
    name: str = settings["configMapRef"]["name"]
    return name


def test_it_is_ready_when_its_model_is_loaded():
    (container,) = pod()["spec"]["containers"]
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/health", "port": "http"}
    startup = container["startupProbe"]
    # Some 16 GB of weights at 10 MB a second.
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 1600


def test_one_may_go_at_a_time_and_one_is_always_wanted():
    budget = named(overlay("gpu"), "PodDisruptionBudget", "model-server")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"].items() <= pod()["metadata"]["labels"].items()
    scaling = named(overlay("gpu"), "ScaledObject", "model-server")["spec"]
    assert scaling["minReplicaCount"] == 1
    queue, waited = scaling["triggers"]
    shown = queue["metadata"]
    assert (shown["valueLocation"], shown["aggregationType"]) == ("tgi_queue_size", "sum")
    assert shown["aggregateFromKubeServiceEndpoints"] == "true"
    assert waited["metadata"]["query"].startswith("sum(rate(tgi_request_queue_duration_sum")


def test_its_figures_are_read():
    monitor = named(overlay("gpu"), "ServiceMonitor", "models")["spec"]
    service = named(overlay("gpu"), "Service", "model-server")
    (wanted,) = monitor["selector"]["matchExpressions"]
    assert service["metadata"]["labels"][wanted["key"]] in wanted["values"]
    assert {end["port"] for end in monitor["endpoints"]} == {port["name"] for port in service["spec"]["ports"]}
