"""What the evaluation pages show, done as a newcomer does it: a gate in a shell script, answers labelled in a terminal."""

import asyncio
import json
import os
import pty
import re
import select
import subprocess
import termios
import time
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loopline_client import Finished, Loopline, Started
from loopline_testing.line import LOOPLINE, LocalLine

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    *(f"services/{name}/README.md" for name in ("ingestion", "retrieval", "generation", "evaluation")),
)
PROMPT = ROOT / "services/generation/src/loopline_generation/prompts/short-answer.1.md"
# Without the model: what is tried here is the gate.
QUOTE = ("--set", "engine=quote")
WITHIN_S = 60.0


@pytest.fixture(scope="module")
def gated(local: LocalLine) -> str:
    """A dataset made as the page makes it; the id of its first run."""

    async def ingest() -> None:
        for page in PAGES:
            await local.submit(page, (ROOT / page).read_bytes(), "docs")
        await local.settled("docs", len(PAGES))

    asyncio.run(ingest())
    local.command("datasets", "generate", "docs-cloze", "--collection", "docs", "--count", "24")
    done = local.command("eval", "run", "--dataset", "docs-cloze", "--collection", "docs", *QUOTE, "--json")
    run: str = json.loads(done.stdout)["run"]["run_id"]
    return run


def gate(local: LocalLine, folder: Path, baseline: str, **changed: str) -> subprocess.CompletedProcess[str]:
    """The page's policy and script, run by sh."""
    page = (ROOT / "services/evaluation/RUNS.md").read_text()
    (policy,) = re.findall(r"```yaml\n(# gate.yaml\n.*?)```", page, re.DOTALL)
    (script,) = re.findall(r"```sh\n(#!/bin/sh\n.*?)```", page, re.DOTALL)
    for before, after in changed.items():
        assert f" {before} " in script
        script = script.replace(f" {before} ", f" {after} ")
    (folder / "gate.yaml").write_text(policy)
    (folder / "gate.sh").write_text(script)
    (folder / "new.md").write_text(PROMPT.read_text())
    path = f"{LOOPLINE.parent}:{os.defpath}"
    environment = {"PATH": path, "LOOPLINE_HOME": str(local.home), "LAST_GOOD": baseline}
    command = ["/bin/sh", "gate.sh", *QUOTE, "--repeat", "1"]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180, check=False
    )


def test_the_script_of_the_page_lets_a_change_go_live(local: LocalLine, gated: str, tmp_path: Path):
    done = gate(local, tmp_path, gated)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "may go live" in done.stdout
    suite = ElementTree.parse(tmp_path / "gate.xml").getroot()
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    assert "| pass | holds_reference >= 0.4 |" in (tmp_path / "gate.md").read_text()


def test_the_script_of_the_page_stops_a_change_that_finds_nothing(local: LocalLine, gated: str, tmp_path: Path):
    done = gate(local, tmp_path, gated, docs="nothing-is-here")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "must not go live" in done.stdout
    assert "FAIL" in (tmp_path / "gate.md").read_text()


def test_a_gate_that_cannot_be_asked_fails_nobody(local: LocalLine, gated: str, tmp_path: Path):
    (tmp_path / "gate.yaml").write_text("metrics: {holds_reference: {floor: 0.4}}")
    for words in (("--run", "nothing"), ("--run", gated, "--baseline", "nothing"), ("--policy", "not there")):
        asked = words if "--policy" in words else ("--policy", str(tmp_path / "gate.yaml"), *words)
        done = local.command("eval", "gate", *asked, check=False)
        assert (done.returncode, "error:" in done.stderr) == (2, True), done.stderr


def test_answers_are_labelled_by_keys_in_a_terminal(local: LocalLine, gated: str):
    put = ("queues", "put", "keys", "--question", "Is it true?", "--label", "no", "--label", "yes", "--random", "1")
    local.command(*put)
    asked = asyncio.run(answered(local, 3))
    asyncio.run(queued(local, 3))
    # A yes; a note with a no; one whose passages are looked at, and skipped.
    keys = [
        *(("2", "q quit"), ("n", "q quit"), ("too short\r", "note:"), ("1", "too short")),
        *(("p", "q quit"), ("s", "[1]")),
    ]
    said = typed(local, ["annotate", "keys", "--by", "ann"], keys)
    assert "2 labelled" in said
    assert "[1]" in said
    assert all(question in said for question in QUESTIONS[:3])
    done = local.command("queues", "list", "--json")
    (queue,) = [one for one in json.loads(done.stdout) if one["queue"]["name"] == "keys"]
    assert (queue["items"], queue["done"], queue["labels"]) == (3, 2, 2)
    assert len(asked) == 3


QUESTIONS = ("What does the retrieval service own?", "What does ingestion hear?", "Which metrics need no judge?")


async def answered(local: LocalLine, count: int) -> list[str]:
    """The ids of so many answers."""
    found = []
    async with Loopline.local(local.home) as line:
        for question in QUESTIONS[:count]:
            steps = [step async for step in line.ask(question, collections=["docs"], engine="quote")]
            assert isinstance(steps[-1], Finished)
            found += [step.answer_id for step in steps if isinstance(step, Started)]
    return found


async def queued(local: LocalLine, count: int) -> None:
    """Until so many answers wait for people."""
    async with Loopline.local(local.home) as line, asyncio.timeout(WITHIN_S):
        while [state.items for state in await line.annotation.queues() if state.queue.name == "keys"] != [count]:
            await asyncio.sleep(0.1)


def typed(local: LocalLine, words: list[str], keys: list[tuple[str, str]]) -> str:
    """What a command shows in a terminal in which each key is pressed once a text is there."""
    terminal, theirs = pty.openpty()
    environment = {**os.environ, "LOOPLINE_HOME": str(local.home), "TERM": "xterm", "COLUMNS": "200"}
    command = [str(LOOPLINE), *words]
    ends = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with subprocess.Popen(command, env=environment, start_new_session=True, **ends):
        os.close(theirs)
        said, seen, deadline = "", 0, time.monotonic() + WITHIN_S
        for key, there in keys:
            while there not in said[seen:] or by_line(terminal) != key.endswith("\r"):
                assert time.monotonic() < deadline, f"it does not come to {there!r}: {said}"
                if select.select([terminal], [], [], 0.05)[0]:
                    said += os.read(terminal, 4096).decode(errors="replace")
            seen = len(said)
            os.write(terminal, key.encode())
        # Reading fails once the other end is closed.
        with suppress(OSError):
            while part := os.read(terminal, 4096):
                said += part.decode(errors="replace")
        os.close(terminal)
    return said


def by_line(terminal: int) -> bool:
    """Whether it waits for a line, not for a key: what is pressed too early is lost, as it is to people."""
    return bool(termios.tcgetattr(terminal)[3] & termios.ICANON)
