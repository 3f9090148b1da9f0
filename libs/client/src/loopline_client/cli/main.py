"""Puts the command together."""

import os
import sys
from importlib.metadata import entry_points

import typer

from loopline_client.cli import (
    annotate,
    answers,
    ask,
    checking,
    concluding,
    credentials,
    datasets,
    dead_letters,
    doctor,
    documents,
    drift,
    erasures,
    evaluating,
    events,
    index,
    ingest,
    operating,
)

# What shells say of a command that SIGPIPE ended.
PIPE_CLOSED = 141

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Loopline: documents in, cited answers out, every step an event.\n\n"
    "Begin with `loopline up`, `loopline ingest FOLDER`, `loopline ask QUESTION`.",
)
app.command()(ingest.ingest)
app.command()(ask.search)
app.command()(ask.ask)
app.command()(doctor.doctor)
app.command()(checking.check)
documents.documents.add_typer(erasures.erasures)
app.add_typer(documents.documents, name="documents")
app.add_typer(documents.collections, name="collections")
app.add_typer(index.index, name="index")
app.command()(answers.feedback)
app.command()(annotate.annotate)
app.add_typer(annotate.queues, name="queues")
app.add_typer(answers.answers, name="answers")
app.add_typer(ask.conversations, name="conversations")
app.add_typer(datasets.datasets, name="datasets")
evaluating.evaluating.command("compare")(concluding.compare)
evaluating.evaluating.command("gate")(concluding.gate)
app.add_typer(evaluating.evaluating, name="eval")
app.add_typer(events.events, name="events")
app.add_typer(drift.drift, name="drift")
app.add_typer(dead_letters.dead_letters, name="dead-letters")
app.add_typer(operating.streams, name="streams")
app.add_typer(operating.subscribers, name="subscribers")
app.add_typer(credentials.app, name="credentials")
app.add_typer(operating.keys, name="keys")
app.add_typer(operating.tenants, name="tenants")


def main() -> None:
    """The command `loopline`; other distributions join it by the entry point group `loopline.commands`."""
    for entry in entry_points(group="loopline.commands"):
        app.add_typer(entry.load())
    drift.join()
    try:
        app()
    except BrokenPipeError:  # `loopline ... | head`: nobody reads on; what is still buffered goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(PIPE_CLOSED)
