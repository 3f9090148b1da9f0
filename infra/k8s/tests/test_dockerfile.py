"""The one Dockerfile is clean, and knows every service."""

import subprocess
import sys
from pathlib import Path

import pytest

from loopline_k8s.manifests import FOLDER, SERVICES

ROOT = FOLDER.parents[1]
DOCKERFILE = ROOT / "infra/docker/Dockerfile"


def test_hadolint_has_nothing_to_say():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_builds_wherever_its_base_can_be_had():
    text = DOCKERFILE.read_text()
    assert "# syntax=" not in text
    assert "sha256:" not in text


@pytest.mark.parametrize("service", SERVICES)
def test_the_image_gets_a_service_with_all_it_stands_on(service: str):
    command = [sys.executable, ROOT / "infra/docker/members.py", service]
    folders = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert folders[-1] == f"./services/{service}"
    assert {"./libs/contracts", "./libs/runtime", "./libs/nats", "./libs/grpc"} <= set(folders)
    assert (ROOT / "services" / service / "requirements.lock").exists()
