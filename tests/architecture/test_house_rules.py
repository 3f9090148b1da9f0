"""Sentences about the house that fail the build."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path for path in (ROOT / "services").iterdir() if path.is_dir())
MAPS_OF_ERRORS = {"libs/grpc/src/loopline_grpc/errors.py", "libs/nats/src/loopline_nats/disposition.py"}
ANATOMY = {"main.py", "settings.py", "ports.py", "rpc.py", "events.py"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(
        [*ROOT.glob("libs/*/src/**/*.py"), *ROOT.glob("services/*/src/**/*.py"), *ROOT.glob("infra/*/src/**/*.py")]
    ):
        if "/src/loopline/" not in path.as_posix():
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def test_imports_keep_their_contracts():
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_only_settings_read_the_environment():
    readers = {
        path
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"} and not path.endswith("settings.py")
    }
    assert readers == set()


def test_only_the_two_maps_of_errors_catch_everything():
    broad = {
        path
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}))
    }
    assert broad <= MAPS_OF_ERRORS


def test_no_file_outgrows_its_noun():
    long = {path: len((ROOT / path).read_text().splitlines()) for path, _ in sources()}
    assert {path: lines for path, lines in long.items() if lines > 350} == {}


def test_rooms_are_named_by_what_they_hold():
    vague = {"utils", "util", "helpers", "common", "core", "manager", "misc"}
    assert [path for path, _ in sources() if Path(path).stem in vague] == []


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_every_service_has_the_same_anatomy(service: Path):
    package = service / "src" / f"loopline_{service.name}"
    assert {name for name in ANATOMY if not (package / name).exists()} == set()
    assert (package / "app.py").exists() or (package / "app").is_dir()


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_a_service_tells_what_it_owns_and_how_it_fails(service: Path):
    readme = (service / "README.md").read_text()
    wanted = ["Owns", "Is asked", "Hears", "Says", "Asks", "Knobs", "Fails like this", "Run it alone"]
    assert [heading for heading in wanted if f"## {heading}" not in readme] == []
