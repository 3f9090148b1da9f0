"""Looking at a line that is not there, and at what a former one left behind."""

import json
from pathlib import Path

import pytest

from loopline_local import control
from loopline_local.parts import Options, services
from loopline_runtime.errors import Unavailable


def test_no_line_is_no_line(tmp_path: Path):
    assert not control.running(tmp_path)
    assert control.status(tmp_path) == {}
    assert not control.stop(tmp_path)
    with pytest.raises(Unavailable, match="loopline status"):
        control.want(tmp_path, "embedding", stopped=True)


def test_what_a_killed_supervisor_left_is_not_believed(tmp_path: Path):
    (tmp_path / "status.json").write_text(json.dumps({"pid": 1, "parts": {"nats": {"state": "ready"}}}))
    (tmp_path / "supervisor.lock").touch()
    assert not control.running(tmp_path)
    assert control.status(tmp_path) == {}


def test_each_service_is_told_where_the_others_are(tmp_path: Path):
    names = ("nats", "model", "embedding", "retrieval", "ingestion", "generation", "evaluation", "monitoring")
    ports = {name: 5000 + place for place, name in enumerate(names)}
    ports |= {f"{name}-metrics": 6000 + place for place, name in enumerate(names)}
    parts = {
        part.name: part.environment for part in services(Options(tmp_path, tmp_path), ports, "ll_service", "store key")
    }
    assert parts["retrieval"]["EMBEDDING__TARGET"] == "127.0.0.1:5002"
    assert parts["generation"]["TGI__URL"] == "http://127.0.0.1:5001"
    assert {environment["ACCESS__KEY"] for environment in parts.values()} == {"ll_service"}
