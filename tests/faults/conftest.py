"""One line per test: what is hurt here is not shared."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loopline_testing.line import LocalLine


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalLine]:
    line = LocalLine(tmp_path / "home")
    line.up("--engine", "quote")
    try:
        yield line
    finally:
        line.down()
