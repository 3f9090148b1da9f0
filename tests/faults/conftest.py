"""One line per test: what is hurt here is not shared."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loopline_testing.line import LocalLine


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalLine]:
    yield from _running(tmp_path / "home", "quote")


@pytest.fixture
def local_with_model(tmp_path: Path) -> Iterator[LocalLine]:
    yield from _running(tmp_path / "home", "chat")


def _running(home: Path, engine: str) -> Iterator[LocalLine]:
    line = LocalLine(home)
    line.up("--engine", engine)
    try:
        yield line
    finally:
        line.down()
