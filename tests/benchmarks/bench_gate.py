"""A gate must not flip: the whole line with its small model at temperature > 0, gated again and again; then without what answers.

Each gate is one `loopline eval gate` with a seed of its own: the line is asked every question and its answers are scored. Takes half an hour.
"""

import argparse
import asyncio
import json
import tempfile
from collections import Counter
from pathlib import Path

from interleaved import report

from loopline_testing.line import LocalLine
from loopline_testing.small_facts import FACTS

POLICY = "metrics: {holds_reference: {floor: 0.4}}\nbudget: {failed_share: 0.1}\nrows: 10\n"
VERDICTS = {0: "pass", 1: "fail", 2: "not enough evidence"}


async def ingest(line: LocalLine, count: int) -> None:
    """Two collections: `whole`, and `dropped` without the sentences that answer."""
    for number, fact in enumerate(FACTS[:count]):
        for collection in ("whole", "dropped"):
            await line.submit(f"beside {number}.md", fact.beside.encode(), collection)
        await line.submit(f"told {number}.md", fact.told.encode(), "whole")
    await line.settled("whole", 2 * count)
    await line.settled("dropped", count)


def gated(line: LocalLine, folder: Path, collection: str, seed: int) -> int:
    """The exit status of one gate."""
    options = ("temperature=0.5", "max_tokens=18", "k=2", "grounding=off", "engine=chat")
    words = [word for option in options for word in ("--set", option)]
    which = ("--dataset", "facts", "--collection", collection, "--seed", str(seed), "--at-once", "2")
    done = line.command(
        "eval", "gate", "--policy", str(folder / "gate.yaml"), *which, *words, check=False, timeout=3600
    )
    if done.returncode not in VERDICTS or "error:" in done.stderr:
        raise SystemExit(done.stdout + done.stderr)
    return done.returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gates", type=int, default=20)
    parser.add_argument("--rows", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "gate.yaml").write_text(POLICY)
        rows = [{"question": fact.question, "answer": fact.answer} for fact in FACTS[: options.rows]]
        (folder / "facts.jsonl").write_text("\n".join(map(json.dumps, rows)))
        line = LocalLine(folder / "home")
        line.up()
        try:
            asyncio.run(ingest(line, options.rows))
            line.command("datasets", "import", "facts", str(folder / "facts.jsonl"))
            found: dict[str, Counter[str]] = {"whole": Counter(), "dropped": Counter()}
            for seed in range(1, options.gates + 1):
                for collection, counts in found.items():
                    counts[VERDICTS[gated(line, folder, collection, seed)]] += 1
        finally:
            line.down()
    for collection, goal in (("whole", "fail <= 1 of 20"), ("dropped", "fail >= 18 of 20")):
        told = {verdict: str(found[collection][verdict]) for verdict in VERDICTS.values()}
        report(f"gates of {options.rows} questions, passages {collection}", goal, **told)


if __name__ == "__main__":
    main()
