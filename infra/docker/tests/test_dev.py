"""`skaffold dev -m embedding` with the docker deployer: a saved source is live in seconds. Image and copied files are those of skaffold.yaml."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from loopline_local.building import built
from loopline_local.settings import inherited

ROOT = Path(__file__).parents[3]
SERVICE = "embedding"
LIVE_WITHIN_S = 15


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the image is made of, with one module of skaffold.yaml that runs where Docker does."""
    copy = tmp_path / "tree"
    for folder in ("libs", f"services/{SERVICE}", "infra/docker", "infra/local/models", "infra/local/src"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    shutil.copy(ROOT / "requirements.lock", copy)
    (config,) = (
        one for one in yaml.safe_load_all((ROOT / "skaffold.yaml").read_text()) if one["metadata"]["name"] == SERVICE
    )
    (artifact,) = config["build"]["artifacts"]
    artifact["docker"]["network"] = "host"
    # The deployer calls the container like the image.
    artifact["image"] = f"loopline-dev-{SERVICE}"
    build = {"tagPolicy": {"sha256": {}}, "local": {"push": False, "useBuildkit": True}, "artifacts": [artifact]}
    deploy = {"docker": {"images": [artifact["image"]]}}
    (copy / "skaffold.yaml").write_text(
        yaml.safe_dump(
            {
                "apiVersion": config["apiVersion"],
                "kind": "Config",
                "metadata": {"name": SERVICE},
                "build": build,
                "deploy": deploy,
            }
        )
    )
    return copy


@pytest.fixture
def developing(tree: Path, tmp_path: Path) -> Iterator[Path]:
    """`skaffold dev` over the tree; gives what it prints, the service's own lines among it."""
    home, told = tmp_path / "home", tmp_path / "told.log"
    (home / ".skaffold").mkdir(parents=True)
    (home / ".skaffold/config").write_text("global: {collect-metrics: false, survey: {disable-prompt: true}}\n")
    # The client's plugins, buildx among them, lie in a home.
    plugins = Path.home() / ".docker/cli-plugins"
    if plugins.exists():
        (home / ".docker").mkdir()
        (home / ".docker/cli-plugins").symlink_to(plugins)
    environment = inherited(HOME=str(home), SKAFFOLD_UPDATE_CHECK="false", DOCKER_BUILDKIT="1")
    with told.open("wb") as log:
        process = subprocess.Popen(
            [str(built("skaffold")), "dev", "-m", SERVICE, "--watch-poll-interval=300", "--trigger=polling"],
            cwd=tree, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield told
    finally:
        process.terminate()
        process.wait(timeout=60)
        subprocess.run(["docker", "rm", "--force", f"loopline-dev-{SERVICE}"], capture_output=True, check=False)


def until_told(told: Path, words: str, within_s: float) -> float:
    began = time.monotonic()
    while time.monotonic() - began < within_s:
        text = told.read_text(errors="replace")
        if words in text:
            return time.monotonic() - began
        if "Cleaning up..." in text:
            break
        time.sleep(0.1)
    pytest.fail(f"nothing said {words!r} within {within_s:.0f} s: {told.read_text(errors='replace')[-3000:]}")


@pytest.mark.timeout(900)
def test_a_saved_source_is_live_in_seconds(tree: Path, developing: Path):
    # It misses its settings, says so, and is started again with each change.
    until_told(developing, "settings: ", within_s=600)
    until_told(developing, "Watching for changes", within_s=60)
    package = tree / f"services/{SERVICE}/src/loopline_{SERVICE}/__init__.py"
    package.write_text(package.read_text() + 'print("a saved line of the service", flush=True)\n')
    service = until_told(developing, "a saved line of the service", LIVE_WITHIN_S)
    library = tree / "libs/runtime/src/loopline_runtime/__init__.py"
    library.write_text(library.read_text() + 'print("a saved line of a library", flush=True)\n')
    took = until_told(developing, "a saved line of a library", LIVE_WITHIN_S)
    print(f"\nsaved to live: {service:.1f} s in the service, {took:.1f} s in a library")
