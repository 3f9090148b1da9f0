"""The end of the demo: the monitor learns what is usually asked, people ask about something else, it says so, and it says when that is over."""

import asyncio
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from loopline_runtime.errors import Unavailable

if TYPE_CHECKING:
    from loopline_client.library import Loopline
    from loopline_client.monitoring import Drift

SIGNAL = "question.embedding"
# Small windows, so that the demo is short; how fast a laptop is just now is no drift.
POLICY = """\
ignored = ["retrieval.took_ms", "answer.total_ms", "answer.first_token_ms", "answer.ms_per_token"]
[windows]
size = 20
[baseline]
learn = 80
"""
FORMS = (
    "How do I install {}?",
    "What is {} used for?",
    "Which options does {} have?",
    "How is {} configured?",
    "Which Python versions does {} support?",
    "Where is the documentation of {}?",
)
ELSEWHERE = (
    "How long does bread dough rise in a cold kitchen?",
    "Which herbs go with roast lamb?",
    "How do I keep hollandaise sauce from curdling?",
    "What is the best apple for a pie?",
    "How many minutes does a soft egg boil?",
    "Can I freeze fresh basil?",
    "Which wine fits grilled salmon?",
    "How do I sharpen a kitchen knife?",
    "Why does my cheesecake crack in the oven?",
    "How much salt belongs in pasta water?",
    "What can replace butter in a cake?",
    "How do I peel ripe tomatoes quickly?",
    "Is it safe to eat raw mushrooms?",
    "How thick should pancake batter be?",
    "Which rice is right for risotto?",
    "How do I caramelise onions slowly?",
    "What makes meringue glossy and stiff?",
    "How long can soup stay in the fridge?",
    "Which pan is best for searing steak?",
    "How do I store fresh strawberries?",
)
ASKED_AT_ONCE, WITHIN_S, LOOK_S = 4, 30.0, 0.3


def usual(names: Sequence[str], count: int, start: int) -> list[str]:
    """Questions about the manuals, each form and each name in turn."""
    every = [form.format(name) for name, form in itertools.product(names, FORMS)]
    return [every[(start + number * 7) % len(every)] for number in range(count)]


async def shift(home: Path, names: Sequence[str], run: Callable[..., int]) -> None:
    """Asks, and shows what the monitor says, by `run`, which runs a `loopline` command. Unavailable when it says nothing in time."""
    from loopline_client.library import Loopline

    async with Loopline.local(home) as line:
        _say(f"{await _ask(line, usual(names, 140, 0))} questions about the manuals: the monitor learns what is usual")
        await _until(line, lambda drift: any(s.signal == SIGNAL and len(s.recent) >= 6 for s in drift.signals))
        run("drift", "status", "--collection", "demo", check=False)
        _say(f"{await _ask(line, ELSEWHERE * 2)} questions about cooking")
        opened = _open(await _until(line, lambda drift: bool(_open(drift))))
        for alarm_id in sorted(opened):
            run("drift", "show", alarm_id[:8])
        _say(f"{await _ask(line, usual(names, 100, 3))} questions about the manuals again")
        await _until(line, lambda drift: not opened & _open(drift))
        run("drift", "show", SIGNAL, "--collection", "demo")


async def _ask(line: "Loopline", questions: Sequence[str]) -> int:
    limit = asyncio.Semaphore(ASKED_AT_ONCE)

    async def one(question: str) -> None:
        async with limit:
            await line.search(question, collections=["demo"], k=5)

    await asyncio.gather(*(one(question) for question in questions))
    return len(questions)


async def _until(line: "Loopline", true: "Callable[[Drift], bool]") -> "Drift":
    ends = time.monotonic() + WITHIN_S
    while not true(drift := await line.monitoring.drift(collection="demo")):
        if time.monotonic() > ends:
            raise Unavailable(f"the monitor said nothing within {WITHIN_S:.0f} s; look at logs/monitoring.log")
        await asyncio.sleep(LOOK_S)
    return drift


def _open(drift: "Drift") -> set[str]:
    return {alarm.alarm_id for alarm in drift.alarms if alarm.signal == SIGNAL}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
