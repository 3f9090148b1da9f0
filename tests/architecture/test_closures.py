"""A service's own locked dependencies suffice to import it, in an environment of its own."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path.name for path in (ROOT / "services").iterdir() if path.is_dir())
MEMBERS = {
    tomllib.loads(path.read_text())["project"]["name"]: path.parent
    for path in [*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")]
}


def uv() -> str:
    found = shutil.which("uv") or str(ROOT / ".cache/uv-venv/bin/uv")
    assert Path(found).exists(), "no uv: run `make setup`"
    return found


def members_of(name: str) -> set[str]:
    declared = tomllib.loads((MEMBERS[name] / "pyproject.toml").read_text())["project"]["dependencies"]
    found = {name}
    for dependency in declared:
        if dependency in MEMBERS:
            found |= members_of(dependency)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_declared_dependencies_suffice(service: str, tmp_path: Path):
    lock = ROOT / "services" / service / "requirements.lock"
    python = tmp_path / "venv/bin/python"
    subprocess.run([uv(), "venv", "-q", tmp_path / "venv"], check=True)
    install = [uv(), "pip", "install", "-q", "--python", python, "--no-deps", "--require-hashes", "-r", lock]
    subprocess.run(install, check=True)
    paths = [str(MEMBERS[member] / "src") for member in members_of(f"loopline-{service}")]
    done = subprocess.run(
        [
            python,
            "-c",
            f"import sys; sys.path[:0] = {paths!r}; import loopline_{service}.main; print('torch' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"
    assert not list((tmp_path / "venv").glob("lib/*/site-packages/torch")), "no service carries torch"
