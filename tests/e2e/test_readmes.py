"""What the pages say is true: their commands exist, their Python runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from loopline_testing.line import LocalLine

ROOT = Path(__file__).parents[2]
# Prompts are Markdown too, and no pages.
NO_PAGES = {".venv", ".cache", ".models", "prompts", "build"}
PAGES = [path for path in ROOT.rglob("*.md") if not NO_PAGES & set(path.relative_to(ROOT).parts)]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_is_shown_exists(page: Path):
    makefile = (ROOT / "Makefile").read_text()
    for line in "\n".join(blocks(page, "sh")).splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["make"]:
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line
        if words[:1] == ["loopline"]:
            named = [word for word in words[1:3] if re.fullmatch(r"[a-z-]+", word)]
            while named and not shown_help(named):
                named.pop()
            assert named, line


def shown_help(words: list[str]) -> bool:
    command = [str(Path(sys.executable).with_name("loopline")), *words, "--help"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_tour_of_the_library_runs(local: LocalLine, tmp_path: Path):
    (tour, *_) = blocks(ROOT / "libs/client/README.md", "python")
    script = tmp_path / "tour.py"
    script.write_text(tour)
    command = ["/usr/bin/env", f"LOOPLINE_HOME={local.home}", sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "notes.md INDEXED" in done.stdout
    assert "Ada Moreland" in done.stdout
    assert "COMPLETED" in done.stdout
