"""What every command shares: running, telling, failing."""

import asyncio
import json
import sys
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from loopline_runtime.errors import LooplineError, Unauthenticated

T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table, for programs")]


class _Lines(Console):
    """A console that tells when nobody reads on, for `main` to end quietly."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


console = _Lines(highlight=False, soft_wrap=True)
problems = Console(stderr=True, highlight=False, soft_wrap=True)


def run(work: Coroutine[Any, Any, T], *, status: int = 1) -> T:
    """Runs a command; what is refused or fails ends it with one line and this exit status."""
    try:
        return asyncio.run(work)
    except LooplineError as error:
        fail(f"{error}" + (" (is LOOPLINE_KEY of this line?)" if isinstance(error, Unauthenticated) else ""), status)
    except KeyboardInterrupt:
        fail("interrupted", status)


def fail(sentence: str, status: int = 1) -> NoReturn:
    """One line on standard error, and an exit status."""
    problems.print(f"error: {sentence}", style="red", markup=False)
    raise typer.Exit(status)


def say(text: str, style: str | None = None) -> None:
    """A line for people; never read as markup, for it may hold what documents say."""
    console.print(text, style=style, markup=False)


def as_json(value: Any) -> None:
    """Stable JSON on standard output."""
    sys.stdout.write(json.dumps(value, default=_plain, ensure_ascii=False, indent=2) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """A table, or a sentence when there is nothing in it."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    count = 0
    for row in rows:
        made.add_row(*(_text(cell) for cell in row))
        count += 1
    if count:
        _Lines(highlight=False, markup=False, width=None if sys.stdout.isatty() else 200).print(made)
    else:
        say(empty)


def _text(cell: object) -> str:
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="seconds")
    return ", ".join(map(str, cell)) if isinstance(cell, tuple | list) else str(cell)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return str(value) if isinstance(value, Path) else repr(value)
