"""A line whose judge and question writer are scripted: live answers judged under a budget, questions written, a run left and found."""

import asyncio
import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loopline_client import Loopline
from loopline_testing.judge_server import JudgeServer, in_schema, judge_server
from loopline_testing.line import LOOPLINE, LocalLine

ROOT = Path(__file__).parents[2]
TOKENS_PER_DAY = 25_000
ROWS, AT_ONCE, WITHIN_S = 30, 2, 60.0
QUESTIONS = [f"What does the {what} hear?" for what in ("service", "bus", "line", "index", "judge", "ledger", "store")]


def scripted(prompt: str) -> str:
    """A writer, a judge and a target in one."""
    if "Write one question" in prompt:
        words = re.findall(r"[a-z]{4,}", prompt.partition("Text:\n")[2]) or ["nothing"]
        return json.dumps({"question": f"What is said about {' '.join(words[:4])}?", "answer": words[0]})
    return "Ada built it." if "Who built" in prompt else in_schema(prompt)


@pytest.fixture(scope="module")
def server() -> Iterator[JudgeServer]:
    """In a thread of its own, so that stories may wait."""
    ready, over = threading.Event(), asyncio.Event()
    opened: list[tuple[JudgeServer, asyncio.AbstractEventLoop]] = []

    async def serve() -> None:
        async with judge_server(scripted) as one:
            opened.append((one, asyncio.get_running_loop()))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    yield opened[0][0]
    opened[0][1].call_soon_threadsafe(over.set)
    thread.join(10)


@pytest.fixture(scope="module")
def judged(server: JudgeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalLine]:
    line = LocalLine(tmp_path_factory.mktemp("judged"))
    line.up(
        "--engine", "quote", JUDGE__URL=server.url, JUDGE__MODEL="judge", JUDGE__METRICS='["faithfulness", "safety"]',
        JUDGE__TOKENS_PER_DAY=str(TOKENS_PER_DAY), JUDGE__MAX_TOKENS="100", SAMPLING__RATE="1",
        WRITER__URL=server.url, WRITER__MODEL="writer",
    )  # fmt: skip
    try:
        for name in ("retrieval", "evaluation"):
            page = f"services/{name}/README.md"
            asyncio.run(line.submit(page, (ROOT / page).read_bytes(), "docs"))
        asyncio.run(line.settled("docs", 2))
        yield line
    finally:
        line.down()


def told(line: LocalLine, *words: str) -> Any:
    """What a command says as JSON."""
    return json.loads(line.command(*words, "--json").stdout)


def until(there: Callable[[], Any], what: str) -> Any:
    """What is there in the end."""
    deadline = time.monotonic() + WITHIN_S
    while not (found := there()):
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(0.2)
    return found


def test_live_answers_are_judged_until_the_days_tokens_are_spent(judged: LocalLine, server: JudgeServer):
    async def ask() -> None:
        async with Loopline.local(judged.home) as line:
            for question in QUESTIONS:
                async for _ in line.ask(question, collections=["docs"], grounding="off"):
                    pass

    asyncio.run(ask())
    until(lambda: len(told(judged, "answers", "list")) == len(QUESTIONS), "answers")
    until(lambda: not told(judged, "answers", "list", "--judging", "WAITING"), "end of judging")
    good = told(judged, "answers", "list", "--score", "faithfulness>=0.5")
    left = told(judged, "answers", "list", "--judging", "BUDGET_SPENT")
    assert good
    assert left
    assert len(told(judged, "answers", "list", "--judging", "JUDGED")) + len(left) == len(QUESTIONS)
    shown = judged.command("answers", "show", good[0]["answer_id"]).stdout
    assert "faithfulness" in shown
    assert "ragas" in json.dumps(told(judged, "answers", "show", good[0]["answer_id"]))
    assert 0 < server.tokens <= TOKENS_PER_DAY


def test_questions_are_written_by_the_model_and_marked_as_synthetic(judged: LocalLine):
    judged.command("datasets", "generate", "written", "--collection", "docs", "--count", "3")
    lines = judged.command("datasets", "export", "written").stdout.splitlines()
    assert len(lines) == 3
    assert all("What is said about" in line for line in lines)
    rows = told(judged, "datasets", "show", "written")["rows"]
    assert {(row["origin"]["kind"], row["origin"]["detail"], row["origin"]["synthetic"]) for row in rows} == {
        ("generated", "writer", True)
    }


def test_a_run_that_is_left_and_whose_service_is_killed_is_found_again_and_pays_once(
    judged: LocalLine, server: JudgeServer, tmp_path: Path
):
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps({"question": f"Who built {n}?", "answer": "Ada"}) for n in range(ROWS)))
    judged.command("datasets", "import", "built", str(file))
    server.latency_s, before = 0.4, server.requests
    words = ("--dataset", "built", "--target", server.url, "--metrics", "holds_reference", "--at-once", str(AT_ONCE))
    command = ["/usr/bin/env", f"LOOPLINE_HOME={judged.home}", str(LOOPLINE), "eval", "run", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        until(lambda: server.requests >= before + 4, "answers")
        run.send_signal(signal.SIGINT)
        judged.kill("evaluation")
        seen = server.requests - before
        said = run.communicate(timeout=20)[1]
    assert "Traceback" not in said
    assert seen < ROWS
    listed = until(lambda: judged.command("eval", "list", "--json", check=False).stdout, "evaluation")
    (found,) = json.loads(listed)
    run_id = found["run_id"]
    watched = until(
        lambda: (run := judged.command("eval", "watch", run_id, check=False)).returncode == 0 and run.stdout,
        "end of the run",
    )
    assert f"{ROWS} of {ROWS} units" in watched
    assert ROWS <= server.requests - before <= ROWS + AT_ONCE
