"""What the pages say is true: their commands exist, their Python runs."""

import asyncio
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from loopline_client import Loopline
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


def test_the_page_of_the_monitor_is_true_line_by_line(local: LocalLine, tmp_path: Path):
    """But for what the fixture has done (up, ingest), and what needs an alarm (ack) or never ends (watch)."""
    page = ROOT / "services/monitoring/README.md"
    script = tmp_path / "record.py"
    script.write_text(blocks(page, "python")[0])
    done = subprocess.run(
        ["/usr/bin/env", f"LOOPLINE_HOME={local.home}", sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert asyncio.run(recorded(local, 120)) >= 120
    for name in ("a.csv", "b.csv"):
        rows = (f"{number % 7},{'xy'[number % 2]}\n" for number in range(50))
        (tmp_path / name).write_text("size,kind\n" + "".join(rows))
    (tmp_path / "strict.toml").write_text("false_alarms_per_week = 0.1\n")
    commands = [shlex.split(line, comments=True)[1:] for line in blocks(page, "sh")[0].splitlines()]
    left_out = [["ack"], ["watch"], ["show"]]
    tried = [words for words in commands if words[:1] == ["drift"] and words[1:2] not in left_out]
    tried.append(["drift", "show", "feature.age"])
    for words in tried:
        done = local.command(*words, check=False, cwd=tmp_path)
        # Alarms of other stories may be open.
        assert done.returncode in ((0, 1) if words[1] == "status" else (0,)), (words, done.stdout, done.stderr)
    assert len(tried) == 8
    assert "march" in local.command("drift", "baseline", "list", "--collection", "churn").stdout
    assert {"drift.html", "report.html"} <= {path.name for path in tmp_path.iterdir()}


async def recorded(local: LocalLine, count: int) -> int:
    """So many predictions of the page's model; how many the monitor has seen in the end."""
    async with Loopline.local(local.home) as line:
        for number in range(count):
            features: dict[str, float | str | None] = {"age": 30.0 + number % 20, "plan": "basic"}
            await line.monitoring.record("churn", f"order-{100 + number}", features=features, prediction="stays")
        async with asyncio.timeout(30):
            while not (found := (await line.monitoring.drift(collection="churn", signal="feature.age")).signals):
                await asyncio.sleep(0.2)
            while found[0].seen < count:
                await asyncio.sleep(0.2)
                found = (await line.monitoring.drift(collection="churn", signal="feature.age")).signals
    return found[0].seen
