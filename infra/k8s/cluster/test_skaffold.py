"""Every module of skaffold.yaml renders in both profiles, to objects that their schemas know."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from loopline_k8s.manifests import FOLDER, SERVICES, kubectl, objects_in, of_kind, pod_of
from loopline_k8s.schemas import violations
from loopline_local.building import built

ROOT = FOLDER.parents[1]
CONFIGS = list(yaml.safe_load_all((ROOT / "skaffold.yaml").read_text()))
# The charts come from their makers' repositories and are rendered by helm: not here.
MODULES = [config["metadata"]["name"] for config in CONFIGS if config["metadata"]["name"] != "charts"]
PROFILES = ("cpu", "gpu")


def skaffold(home: Path, *arguments: str, profile: str) -> str:
    # It asks whether it may report and begs for opinions, in the middle of what it prints.
    (home / ".skaffold").mkdir()
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
def test_skaffold_understands_the_whole_file(profile: str, tmp_path: Path):
    told = skaffold(tmp_path, "diagnose", "--yaml-only", "-m", "line", profile=profile)
    assert {one["metadata"]["name"] for one in objects_in(told)} == {*SERVICES, "line", "platform", "model-server"}


def test_every_service_is_a_module_and_forwards_to_loopback_alone():
    assert set(SERVICES) <= set(MODULES)
    forwards = [forward for config in CONFIGS for forward in config.get("portForward", ())]
    assert {forward["address"] for forward in forwards} == {"127.0.0.1"}
    ports = [forward["localPort"] for forward in forwards]
    assert len(set(ports)) == len(ports) == len(SERVICES)


def test_charts_are_pinned():
    (charts,) = (config for config in CONFIGS if config["metadata"]["name"] == "charts")
    releases = charts["deploy"]["helm"]["releases"]
    assert {release["name"] for release in releases} == {"keda", "nats", "weaviate"}
    for release in releases:
        assert all(part.isdigit() for part in release["version"].split(".")), release["name"]
        assert all((ROOT / path).exists() for path in release.get("valuesFiles", ()))
