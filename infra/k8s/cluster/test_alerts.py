"""Each alert rings when it should and is quiet when it should be, as Prometheus' own promtool sees it."""

import subprocess
from pathlib import Path

import yaml

from loopline_k8s.manifests import FOLDER, named, overlay
from loopline_local.building import built

TESTS = FOLDER / "components/observed/alerts.test.yaml"


def test_every_alert_rings_and_is_quiet_in_time(tmp_path: Path):
    spec = named(overlay("gpu"), "PrometheusRule", "loopline")["spec"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec))
    (tmp_path / "test.yaml").write_text(TESTS.read_text())
    for command in (["check", "rules", "rules.yaml"], ["test", "rules", "test.yaml"]):
        done = subprocess.run([built("promtool"), *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_no_alert_is_without_a_test_that_it_rings():
    rules = named(overlay("gpu"), "PrometheusRule", "loopline")["spec"]["groups"][0]["rules"]
    rings = yaml.safe_load(TESTS.read_text())["tests"][0]["alert_rule_test"]
    assert {rule["alert"] for rule in rules} == {case["alertname"] for case in rings if case["exp_alerts"]}
