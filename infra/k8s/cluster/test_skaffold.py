"""Every module of skaffold.yaml renders in both profiles, to objects that their schemas know."""

import os
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from loopline_k8s.control_plane import ControlPlane, control_plane
from loopline_k8s.definitions import definitions
from loopline_k8s.manifests import FOLDER, SERVICES, kubectl, objects_in, of_kind, overlay, pod_of
from loopline_k8s.scaling import ready, secrets_for
from loopline_k8s.schemas import violations
from loopline_local.building import built

ROOT = FOLDER.parents[1]
CONFIGS = list(yaml.safe_load_all((ROOT / "skaffold.yaml").read_text()))
# The charts come from their makers' repositories and are rendered by helm: not here.
MODULES = [config["metadata"]["name"] for config in CONFIGS if config["metadata"]["name"] != "charts"]
PROFILES = ("cpu", "gpu")


def skaffold(home: Path, *arguments: str, profile: str = "cpu", **more: str) -> str:
    # It asks whether it may report and begs for opinions, in the middle of what it prints.
    (home / ".skaffold").mkdir(exist_ok=True)
    (home / ".skaffold/config").write_text("global: {collect-metrics: false, survey: {disable-prompt: true}}\n")
    command = [
        str(built("skaffold")),
        *arguments,
        *(["-p", "gpu"] if profile == "gpu" else []),
    ]
    environment = {
        "HOME": str(home),
        "PATH": f"{Path(kubectl()).parent}:{os.defpath}",
        "SKAFFOLD_UPDATE_CHECK": "false",
        "SKAFFOLD_INTERACTIVE": "false",
        **more,
    }
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("module", MODULES)
def test_a_module_renders_to_objects_that_their_schemas_know(module: str, profile: str, tmp_path: Path):
    output = tmp_path / "rendered.yaml"
    words = ("render", "--digest-source=none", "--offline=true", f"--output={output}", "-m", module)
    skaffold(tmp_path, *words, profile=profile)
    found = objects_in(output.read_text())
    assert [sentence for one in found for sentence in violations(one)] == []
    deployed = {
        one["metadata"]["name"].removeprefix("loopline-") for one in of_kind(found, "Deployment", "StatefulSet")
    }
    if module in SERVICES:
        # Itself and nobody else: the platform is all that it needs.
        assert deployed == {module}
    if module == "line":
        assert deployed == {*SERVICES, "model-server"}
    images = {c["image"] for one in of_kind(found, "Deployment") for c in pod_of(one)["spec"]["containers"]}
    assert images <= {f"loopline/{name}" for name in (*SERVICES, "model-server", "provision")}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("module", [*MODULES, "charts"])
def test_skaffold_understands_a_module_and_what_it_needs(module: str, profile: str, tmp_path: Path):
    told = objects_in(skaffold(tmp_path, "diagnose", "--yaml-only", "-m", module, profile=profile))
    needed = {one["metadata"]["name"]: one for one in told}
    if module == "line":
        assert set(needed) == {*SERVICES, "line", "platform", "model-server"}
    elif module in SERVICES:
        assert set(needed) == {module, "platform"}
    else:
        assert module in needed
    if module == "charts":
        # What is for a laptop is not for production.
        small = [release for release in needed[module]["deploy"]["helm"]["releases"] if "setValues" in release]
        assert bool(small) == (profile == "cpu")


def test_every_service_is_a_module_and_forwards_to_loopback_alone():
    assert set(SERVICES) <= set(MODULES)
    forwards = [forward for config in CONFIGS for forward in config.get("portForward", ())]
    assert {forward["address"] for forward in forwards} == {"127.0.0.1"}
    ports = [forward["localPort"] for forward in forwards]
    assert len(set(ports)) == len(ports) == len(SERVICES)


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with nothing of ours but the Secrets that a developer makes first; nobody scales there."""
    with control_plane(tmp_path_factory.mktemp("apart"), nodes=2) as plane:
        plane.kubectl("apply", "--server-side", *(f"--filename={path}" for path in definitions()))
        # kubectl keeps what it asked below its home.
        environment = {"HOME": str(plane.home), "KUBECONFIG": str(plane.kubeconfig)}
        environment["PATH"] = f"{Path(kubectl()).parent}:{os.defpath}"
        script = [str(ROOT / "infra/k8s/laptop/secrets.sh")]
        done = subprocess.run(["bash", *script], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.strip()) == 64
        yield plane


def deployed(plane: ControlPlane, home: Path, module: str) -> set[str]:
    """The Deployments that are there and ready after it; images are named, not built."""
    images = {one["image"] for config in CONFIGS for one in config.get("build", {}).get("artifacts", ())}
    named = [f"--images={image}={image}:of-a-test" for image in sorted(images)]
    skaffold(home, "deploy", "-m", module, *named, KUBECONFIG=str(plane.kubeconfig))
    found = ready(plane)
    assert min(found.values()) >= 1, found
    return set(found)


def test_one_module_brings_its_service_and_all_bring_the_line(apart: ControlPlane, tmp_path: Path):
    assert deployed(apart, tmp_path, "embedding") == {"embedding"}
    assert apart.get("job", "provision", "-n", "loopline")
    assert deployed(apart, tmp_path, "line") == {*SERVICES, "model-server"}


def test_what_is_verified_is_the_whole_line_from_outside(tmp_path: Path):
    (line,) = (config for config in CONFIGS if config["metadata"]["name"] == "line")
    (case,) = line["verify"]
    path = ROOT / case["executionMode"]["kubernetesCluster"]["jobManifestPath"]
    (job,) = objects_in(path.read_text())
    assert violations(job) == []
    # Skaffold knows the container by its name, and the image as one that it builds.
    (container,) = pod_of(job)["spec"]["containers"]
    assert (container["name"], container["image"]) == (case["container"]["name"], case["container"]["image"])
    builds = {one["image"] for config in CONFIGS for one in config.get("build", {}).get("artifacts", ())}
    assert container["image"] in builds
    # The image holds the client, and its namespace is let in like the edge.
    needs = tomllib.loads((ROOT / "services/monitoring/pyproject.toml").read_text())["project"]["dependencies"]
    assert "loopline" in needs
    (namespace,) = objects_in((path.parent / "namespace.yaml").read_text())
    assert namespace["metadata"]["name"] == job["metadata"]["namespace"]
    assert namespace["metadata"]["labels"]["loopline.dev/edge"] == "true"
    called = {one["value"] for one in container["env"] if "value" in one}
    assert called == {f"loopline-{name}.loopline:50051" for name in ("ingestion", "retrieval", "generation")}
    told = skaffold(tmp_path, "diagnose", "--yaml-only", "-m", "line", profile="cpu")
    assert [one["verify"] for one in objects_in(told) if one["metadata"]["name"] == "line"] == [line["verify"]]


def test_the_secrets_of_a_laptop_are_all_that_its_pods_ask_for(apart: ControlPlane):
    asked = secrets_for([*overlay("cpu"), *objects_in((ROOT / "infra/k8s/laptop/verify/job.yaml").read_text())])
    for wanted in asked:
        name = wanted["metadata"]["name"]
        namespace = "loopline-verify" if name == "check" else "loopline"
        there = apart.get("secret", name, "-n", namespace)
        assert set(wanted["stringData"]) <= set(there["data"]), name


def test_charts_are_pinned():
    (charts,) = (config for config in CONFIGS if config["metadata"]["name"] == "charts")
    releases = charts["deploy"]["helm"]["releases"]
    assert {release["name"] for release in releases} == {"keda", "nats", "weaviate"}
    for release in releases:
        assert all(part.isdigit() for part in release["version"].split(".")), release["name"]
        assert all((ROOT / path).exists() for path in release.get("valuesFiles", ()))
