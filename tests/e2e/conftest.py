"""One whole local line for all stories of this folder."""

from collections.abc import Iterator

import pytest

from loopline_testing.line import LocalLine


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalLine]:
    line = LocalLine(tmp_path_factory.mktemp("line"))
    # A second, worse model, for the stories of index versions.
    line.up(MODEL__SHORTER="[16]")
    try:
        yield line
    finally:
        line.down()
